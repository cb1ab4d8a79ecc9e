-- What is normal for each scope of each application. `head` holds open cells and detectors as JSON;
-- a day holds the closed cells of one day since 1970, UTC.

CREATE TABLE baseline_state (
    name TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    saved_at BIGINT NOT NULL,
    doc TEXT NOT NULL
);

CREATE TABLE baseline_scopes (
    application TEXT NOT NULL,
    dimension TEXT NOT NULL,
    part TEXT NOT NULL,
    seconds BIGINT NOT NULL,
    next BIGINT NOT NULL,
    head TEXT NOT NULL,
    PRIMARY KEY (application, dimension, part)
);

CREATE TABLE baseline_days (
    application TEXT NOT NULL,
    dimension TEXT NOT NULL,
    part TEXT NOT NULL,
    day BIGINT NOT NULL,
    bytes BYTEA NOT NULL,
    PRIMARY KEY (application, dimension, part, day)
);
CREATE INDEX baseline_days_age ON baseline_days (day);
