-- Customers of the map: keys, what they used, what they paid for.
-- +goose Up
CREATE TABLE api_keys (
    id         TEXT   PRIMARY KEY,
    name       TEXT   NOT NULL,
    sha256     TEXT   NOT NULL UNIQUE, -- of the key; the key itself is never kept
    scopes     TEXT   NOT NULL,        -- JSON list of keys.Scope, sorted
    origins    TEXT   NOT NULL,        -- JSON list of web origins; empty list: any, and callers that are no browsers
    per_minute BIGINT NOT NULL,
    per_day    BIGINT NOT NULL,
    credits    BIGINT NOT NULL DEFAULT 0 CHECK (credits >= 0),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL DEFAULT 0, -- 0: never
    revoked_at BIGINT NOT NULL DEFAULT 0  -- 0: in force
);

CREATE TABLE api_usage (
    key_id   TEXT   NOT NULL REFERENCES api_keys (id),
    day      TEXT   NOT NULL, -- UTC date
    requests BIGINT NOT NULL,
    frames   BIGINT NOT NULL, -- given out
    credits  BIGINT NOT NULL, -- charged
    PRIMARY KEY (key_id, day)
);

-- A cell in a week is paid for once; after that it is free to the key.
CREATE TABLE api_bought (
    key_id TEXT   NOT NULL REFERENCES api_keys (id),
    cell   BIGINT NOT NULL, -- at the billing resolution
    week   BIGINT NOT NULL, -- survey.Epoch.Number of the capture time
    at     BIGINT NOT NULL,
    PRIMARY KEY (key_id, cell, week)
);

-- Every change of a balance; their sum is the balance.
CREATE TABLE api_credits (
    key_id  TEXT   NOT NULL REFERENCES api_keys (id),
    seq     BIGINT NOT NULL, -- from 1, by key
    at      BIGINT NOT NULL,
    amount  BIGINT NOT NULL, -- negative: a charge
    balance BIGINT NOT NULL, -- after it
    note    TEXT   NOT NULL,
    PRIMARY KEY (key_id, seq)
);

-- Answers kept for Idempotency-Key.
CREATE TABLE api_answers (
    key_id  TEXT   NOT NULL REFERENCES api_keys (id),
    idem    TEXT   NOT NULL,
    request TEXT   NOT NULL, -- SHA-256 of the request
    answer  TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (key_id, idem)
);
CREATE INDEX api_answers_at ON api_answers (at);

-- +goose Down
DROP TABLE api_answers;
DROP TABLE api_credits;
DROP TABLE api_bought;
DROP TABLE api_usage;
DROP TABLE api_keys;
