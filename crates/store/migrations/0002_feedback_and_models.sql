-- Whether a signal's rule was in shadow mode and would have acted: counted by rule and time.
ALTER TABLE signals ADD COLUMN would_act BIGINT NOT NULL DEFAULT 0;
CREATE INDEX signals_rule ON signals (rule, at);

-- What people say about signals. At most one label a signal; every change is an event. The text it
-- is about stays in the interaction log.
CREATE TABLE signal_labels (
    signal TEXT NOT NULL PRIMARY KEY REFERENCES signals (id),
    label TEXT NOT NULL,
    source TEXT NOT NULL,
    rule TEXT NOT NULL,
    application TEXT NOT NULL,
    incident TEXT,
    actor TEXT NOT NULL,
    at BIGINT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX signal_labels_rule ON signal_labels (rule, label);
CREATE INDEX signal_labels_at ON signal_labels (at, signal);
CREATE INDEX signal_labels_incident ON signal_labels (incident);

-- Classifier weights by their SHA-256.
CREATE TABLE models (
    sha256 TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    proposed_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    doc TEXT NOT NULL,
    bytes BYTEA NOT NULL
);
CREATE INDEX models_proposed ON models (proposed_at);
