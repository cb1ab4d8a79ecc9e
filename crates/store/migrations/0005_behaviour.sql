-- What is watched over several requests: session scores, signatures of suspicious texts, query
-- distributions. Holds no text.
CREATE TABLE behaviour_state (
    application TEXT NOT NULL,
    part TEXT NOT NULL,
    name TEXT NOT NULL,
    saved_at BIGINT NOT NULL,
    bytes BYTEA NOT NULL,
    PRIMARY KEY (application, part, name)
);
CREATE INDEX behaviour_state_age ON behaviour_state (saved_at);
