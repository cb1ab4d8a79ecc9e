-- One portable schema for SQLite and PostgreSQL: BIGINT, TEXT and BYTEA only, booleans as 0/1,
-- times as microseconds since 1970 UTC, ids as text, JSON as text in `doc`.
-- Columns beside `doc` exist only where a query filters or orders by them.

CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE applications (
    name TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    doc TEXT NOT NULL
);

CREATE TABLE upstreams (
    name TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    doc TEXT NOT NULL
);

CREATE TABLE content_overrides (
    name TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    doc TEXT NOT NULL
);

CREATE TABLE rule_modes (
    name TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    doc TEXT NOT NULL
);

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    application TEXT NOT NULL,
    revoked_at BIGINT,
    version BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX api_keys_application ON api_keys (application);

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    version BIGINT NOT NULL,
    doc TEXT NOT NULL
);

CREATE TABLE sessions (
    sha256 TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    csrf TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL
);
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE api_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    version BIGINT NOT NULL,
    doc TEXT NOT NULL
);

CREATE TABLE one_time_links (
    sha256 TEXT NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL,
    subject TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);

CREATE TABLE incidents (
    id TEXT NOT NULL PRIMARY KEY,
    number TEXT NOT NULL UNIQUE,
    application TEXT NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    state TEXT NOT NULL,
    is_open BIGINT NOT NULL,
    grouping_key TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    search TEXT NOT NULL,
    version BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX incidents_group ON incidents (application, grouping_key, is_open);
CREATE INDEX incidents_open ON incidents (is_open, id);
CREATE INDEX incidents_opened ON incidents (opened_at);

CREATE TABLE signals (
    id TEXT NOT NULL PRIMARY KEY,
    incident TEXT REFERENCES incidents (id),
    application TEXT NOT NULL,
    rule TEXT NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    interaction TEXT,
    at BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX signals_incident ON signals (incident, at);
CREATE INDEX signals_at ON signals (at);
CREATE INDEX signals_application ON signals (application, at);

CREATE TABLE incident_interactions (
    incident TEXT NOT NULL REFERENCES incidents (id),
    interaction TEXT NOT NULL,
    at BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (incident, interaction)
);
CREATE INDEX incident_interactions_interaction ON incident_interactions (interaction);

CREATE TABLE incident_roles (
    incident TEXT NOT NULL REFERENCES incidents (id),
    role TEXT NOT NULL,
    person TEXT NOT NULL,
    assumed_at BIGINT NOT NULL,
    renounced_at BIGINT,
    PRIMARY KEY (incident, role, person, assumed_at)
);

-- Append only. `canonical` holds the RFC 8785 bytes that `sha256` covers and the ledger anchors;
-- the event is read back from exactly those bytes.
CREATE TABLE events (
    global_sequence BIGINT NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    incident TEXT REFERENCES incidents (id),
    sequence BIGINT NOT NULL,
    kind TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    canonical BYTEA NOT NULL
);
CREATE UNIQUE INDEX events_incident ON events (incident, sequence);
CREATE INDEX events_kind ON events (kind, global_sequence);

CREATE TABLE outbox (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    idempotency_key TEXT NOT NULL UNIQUE,
    payload TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    last_error TEXT,
    done_at BIGINT
);
CREATE INDEX outbox_due ON outbox (kind, done_at, due_at);

CREATE TABLE measures (
    id TEXT NOT NULL PRIMARY KEY,
    application TEXT NOT NULL,
    incident TEXT REFERENCES incidents (id),
    state TEXT NOT NULL,
    is_current BIGINT NOT NULL,
    expires_at BIGINT,
    version BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX measures_current ON measures (is_current, application);
CREATE INDEX measures_incident ON measures (incident);

CREATE TABLE approvals (
    id TEXT NOT NULL PRIMARY KEY,
    incident TEXT REFERENCES incidents (id),
    is_pending BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX approvals_pending ON approvals (is_pending, id);

CREATE TABLE gateways (
    name TEXT NOT NULL PRIMARY KEY,
    first_seen_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    doc TEXT NOT NULL
);

CREATE TABLE log_cursors (
    gateway TEXT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL
);

CREATE TABLE correlator_snapshots (
    application TEXT NOT NULL PRIMARY KEY,
    saved_at BIGINT NOT NULL,
    bytes BYTEA NOT NULL
);

CREATE TABLE evidence_items (
    id TEXT NOT NULL PRIMARY KEY,
    incident TEXT NOT NULL REFERENCES incidents (id),
    sha256 TEXT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX evidence_items_incident ON evidence_items (incident, id);

CREATE TABLE idempotency_keys (
    actor TEXT NOT NULL,
    name TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    status BIGINT NOT NULL,
    response TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (actor, name)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

CREATE TABLE principal_hours (
    application TEXT NOT NULL,
    hour BIGINT NOT NULL,
    principal TEXT NOT NULL,
    PRIMARY KEY (application, hour, principal)
);
