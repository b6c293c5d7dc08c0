-- Rewards: contributors who answer for newcomers with their own earnings. A newcomer has one sponsor at a time.
-- +goose Up
CREATE TABLE reward_sponsors (
    newcomer_id TEXT   PRIMARY KEY REFERENCES contributors (id),
    sponsor_id  TEXT   NOT NULL REFERENCES contributors (id),
    since       BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL DEFAULT 0 -- 0 in force
);
CREATE INDEX reward_sponsors_sponsor ON reward_sponsors (sponsor_id, ended_at);

-- +goose Down
DROP TABLE reward_sponsors;
