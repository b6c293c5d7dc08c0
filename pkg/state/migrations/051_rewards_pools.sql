-- Rewards: doubts about drives and what was decided, corrections of closed epochs, and the pools beside coverage.
-- +goose Up
DROP TABLE reward_trust;

-- One row per drive and kind of doubt (rewards.Finding); evidence is JSON that the contributor may see.
CREATE TABLE drive_findings (
    drive_id TEXT   NOT NULL REFERENCES drives (id),
    kind     TEXT   NOT NULL,
    evidence TEXT   NOT NULL DEFAULT '{}',
    found_by TEXT   NOT NULL,
    found_at BIGINT NOT NULL,
    PRIMARY KEY (drive_id, kind)
);

-- A drive whose findings hold its earnings: notice, appeal, decision.
CREATE TABLE reward_holds (
    drive_id       TEXT   PRIMARY KEY REFERENCES drives (id),
    contributor_id TEXT   NOT NULL REFERENCES contributors (id),
    state          TEXT   NOT NULL, -- open, appealed, cleared, confirmed
    evidence       TEXT   NOT NULL, -- JSON of the findings when the hold was opened
    opened_at      BIGINT NOT NULL,
    deadline_at    BIGINT NOT NULL, -- for the appeal; after it, for the decision on one
    appeal         TEXT   NOT NULL DEFAULT '',
    reason         TEXT   NOT NULL DEFAULT '',
    decided_by     TEXT   NOT NULL DEFAULT '',
    decided_at     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX reward_holds_contributor ON reward_holds (contributor_id, opened_at);
CREATE INDEX reward_holds_state ON reward_holds (state, deadline_at);

-- What closed epochs hold of each drive.
CREATE TABLE reward_escrow (
    epoch    TEXT   NOT NULL REFERENCES epochs (epoch),
    drive_id TEXT   NOT NULL REFERENCES drives (id),
    amount   BIGINT NOT NULL,
    PRIMARY KEY (epoch, drive_id)
);

-- What each contributor has in escrow and owes, after the last closed epoch.
CREATE TABLE reward_balances (
    contributor_id TEXT   PRIMARY KEY REFERENCES contributors (id),
    escrow         BIGINT NOT NULL,
    debt           BIGINT NOT NULL
);

-- Entries about closed epochs, booked by the next close (applied_epoch).
CREATE TABLE corrections (
    id              TEXT   PRIMARY KEY,
    contributor_id  TEXT   NOT NULL REFERENCES contributors (id),
    epoch           TEXT   NOT NULL REFERENCES epochs (epoch),
    kind            TEXT   NOT NULL, -- record.CorrectionKind
    amount          BIGINT NOT NULL,
    reason          TEXT   NOT NULL,
    evidence_sha256 TEXT   NOT NULL DEFAULT '',
    decided_by      TEXT   NOT NULL,
    created_at      BIGINT NOT NULL,
    applied_epoch   TEXT   NOT NULL DEFAULT ''
);
CREATE INDEX corrections_applied ON corrections (applied_epoch, id);

-- What customers spent on a cell, in base units; id is the charge's, so that a repeat counts once.
CREATE TABLE reward_spend (
    id     TEXT   NOT NULL,
    cell   BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (id, cell)
);
CREATE INDEX reward_spend_at ON reward_spend (at);

-- Work orders: a price for each cell, paid once.
CREATE TABLE work_orders (
    id        TEXT   NOT NULL,
    cell      BIGINT NOT NULL,
    price     BIGINT NOT NULL,
    opens_at  BIGINT NOT NULL,
    closes_at BIGINT NOT NULL,
    state     TEXT   NOT NULL DEFAULT 'open', -- rewards.HitState
    epoch     TEXT   NOT NULL DEFAULT '',     -- that filled or refunded it
    PRIMARY KEY (id, cell)
);
CREATE INDEX work_orders_open ON work_orders (state, opens_at);

-- Points earned by checking others' work.
CREATE TABLE reward_reviews (
    id             TEXT   PRIMARY KEY,
    contributor_id TEXT   NOT NULL REFERENCES contributors (id),
    points         BIGINT NOT NULL,
    at             BIGINT NOT NULL
);
CREATE INDEX reward_reviews_at ON reward_reviews (at);

-- +goose Down
SELECT 1;
