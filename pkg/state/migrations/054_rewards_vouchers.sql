-- Rewards: what speaks for a drive. A ruleset may ask for it (trust.vouchers) and hold what a drive without earns.
-- +goose Up
-- Evidence found in the drive itself, by kind: 'motion' (ingest), an accelerometer that was shaken as a car shakes it.
CREATE TABLE drive_vouchers (
    drive_id  TEXT   NOT NULL REFERENCES drives (id),
    kind      TEXT   NOT NULL,
    score_ppm BIGINT NOT NULL, -- 0 none to 1,000,000 all of the drive
    evidence  TEXT   NOT NULL DEFAULT '{}',
    found_at  BIGINT NOT NULL,
    PRIMARY KEY (drive_id, kind)
);

-- Contributors that the operator answers for: a city's own cars, a fleet under contract, a driver whose drives were
-- looked at. With a device key, only uploads that it signed.
CREATE TABLE reward_enrolled (
    contributor_id TEXT   NOT NULL REFERENCES contributors (id),
    device_key     TEXT   NOT NULL DEFAULT '', -- Ed25519, 64 hex digits; '' any upload
    enrolled_by    TEXT   NOT NULL,            -- role and name
    reason         TEXT   NOT NULL,
    enrolled_at    BIGINT NOT NULL,
    revoked_at     BIGINT NOT NULL DEFAULT 0,  -- 0 in force; uploads completed before it stay vouched for
    PRIMARY KEY (contributor_id, device_key)
);

-- +goose Down
DROP TABLE reward_enrolled;
DROP TABLE drive_vouchers;
