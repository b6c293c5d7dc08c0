-- Devices that sign what they send.
-- +goose Up
CREATE TABLE device_keys (
    contributor_id TEXT   NOT NULL REFERENCES contributors (id),
    public_key     TEXT   NOT NULL, -- Ed25519, 64 hex digits
    name           TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    revoked_at     BIGINT NOT NULL DEFAULT 0, -- 0 in use
    PRIMARY KEY (contributor_id, public_key)
);

-- The key whose signature over the upload was checked when it was opened; '' unsigned.
ALTER TABLE uploads ADD COLUMN device_key TEXT NOT NULL DEFAULT '';

-- +goose Down
SELECT 1;
