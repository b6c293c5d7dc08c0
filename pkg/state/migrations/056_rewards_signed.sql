-- Rewards: what is decided bears the signature of the role that decided (record.Signers), so that a row which was changed by
-- hand pays nobody. Hex of an Ed25519 signature; '' for what was decided before.
-- +goose Up
ALTER TABLE reward_holds ADD COLUMN signature TEXT NOT NULL DEFAULT '';
ALTER TABLE corrections ADD COLUMN signature TEXT NOT NULL DEFAULT '';
ALTER TABLE reward_enrolled ADD COLUMN signature TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE reward_enrolled DROP COLUMN signature;
ALTER TABLE corrections DROP COLUMN signature;
ALTER TABLE reward_holds DROP COLUMN signature;
