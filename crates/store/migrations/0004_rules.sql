-- What happened to detection rules: mode changes and backtests, with who, when and why.

CREATE TABLE rule_history (
    id TEXT NOT NULL PRIMARY KEY,
    rule TEXT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX rule_history_rule ON rule_history (rule, at);
