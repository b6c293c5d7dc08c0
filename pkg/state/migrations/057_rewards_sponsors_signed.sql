-- Rewards: that somebody answers for a newcomer bears a signature too (record.Signers): by a hand in the database a stranger
-- could else be paid from an innocent driver's earnings. '' for what was recorded before, and for what has ended.
-- +goose Up
ALTER TABLE reward_sponsors ADD COLUMN signed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE reward_sponsors ADD COLUMN signature TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE reward_sponsors DROP COLUMN signature;
ALTER TABLE reward_sponsors DROP COLUMN signed_by;
