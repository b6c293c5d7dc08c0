-- Operators: who runs the network, what they did. Names are the operator's own; they appear in no public artifact.
-- +goose Up
CREATE TABLE operators (
    name        TEXT   PRIMARY KEY,
    role        TEXT   NOT NULL,            -- httpx.Role
    password    TEXT   NOT NULL DEFAULT '', -- argon2id in PHC form; '' cannot log in with a password
    created_at  BIGINT NOT NULL,
    disabled_at BIGINT NOT NULL DEFAULT 0   -- 0: in force
);

-- Sessions of the web page and tokens of programs. Of an operator in the table above, the role there counts, at once;
-- one who came through OpenID Connect has the role that the provider gave at login.
CREATE TABLE operator_sessions (
    sha256     TEXT   PRIMARY KEY, -- of the session or token; itself never kept
    name       TEXT   NOT NULL,
    role       TEXT   NOT NULL,
    kind       TEXT   NOT NULL,    -- session, token, oidc
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX operator_sessions_name ON operator_sessions (name);

-- Every act of an operator. Each entry's hash covers the one before, see operators.Entry. Entries are only added.
CREATE TABLE audit (
    seq     BIGINT PRIMARY KEY,
    at      BIGINT NOT NULL,
    actor   TEXT   NOT NULL,
    role    TEXT   NOT NULL,
    via     TEXT   NOT NULL,
    act     TEXT   NOT NULL,
    target  TEXT   NOT NULL,
    outcome TEXT   NOT NULL, -- begun, or how the act of entry "of" ended
    of_seq  BIGINT NOT NULL, -- 0, or the entry that says that the act began
    note    TEXT   NOT NULL,
    prev    TEXT   NOT NULL,
    hash    TEXT   NOT NULL
);
CREATE TABLE audit_head (
    id   BIGINT PRIMARY KEY CHECK (id = 1),
    seq  BIGINT NOT NULL,
    hash TEXT   NOT NULL
);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '');

-- +goose Down
SELECT 1;
