-- Rewards: closed epochs, what each contributor earned, and what the next epoch starts from.
-- +goose Up
CREATE TABLE epochs (
    epoch           TEXT   PRIMARY KEY, -- Monday, YYYY-MM-DD
    ruleset         TEXT   NOT NULL,
    manifest_sha256 TEXT   NOT NULL, -- object epochs/<epoch>/manifest.json in the ledger bucket
    root            TEXT   NOT NULL DEFAULT '',
    pool            BIGINT NOT NULL, -- base units; pool = allocated + held + remainder
    allocated       BIGINT NOT NULL,
    held            BIGINT NOT NULL,
    remainder       BIGINT NOT NULL,
    contributions   BIGINT NOT NULL,
    contributors    BIGINT NOT NULL,
    closed_at       BIGINT NOT NULL
);

CREATE TABLE allocations (
    epoch          TEXT   NOT NULL REFERENCES epochs (epoch),
    contributor_id TEXT   NOT NULL REFERENCES contributors (id),
    amount         BIGINT NOT NULL, -- earned in the epoch
    held           BIGINT NOT NULL, -- in escrow, not in amount
    frames         BIGINT NOT NULL, -- that count
    cells          BIGINT NOT NULL,
    PRIMARY KEY (epoch, contributor_id)
);
CREATE INDEX allocations_contributor ON allocations (contributor_id, epoch);

-- Where the last closed epoch left each account. The empty address is the reserve of a contributor without one.
CREATE TABLE reward_accounts (
    contributor_id TEXT   NOT NULL REFERENCES contributors (id),
    address        TEXT   NOT NULL,
    cumulative     BIGINT NOT NULL,
    PRIMARY KEY (contributor_id, address)
);

-- A frame counts in one epoch only.
CREATE TABLE reward_frames (
    frame_id TEXT PRIMARY KEY,
    epoch    TEXT NOT NULL
);

-- When a cell was last received, as far as closed epochs counted it.
CREATE TABLE reward_cells (
    cell        BIGINT PRIMARY KEY,
    received_at BIGINT NOT NULL
);

-- How far a drive is believed; without a row, fully.
CREATE TABLE reward_trust (
    drive_id TEXT   PRIMARY KEY REFERENCES drives (id),
    trust    BIGINT NOT NULL, -- PPM
    held     BIGINT NOT NULL DEFAULT 0,
    reason   TEXT   NOT NULL DEFAULT '',
    set_at   BIGINT NOT NULL
);

-- +goose Down
SELECT 1;
