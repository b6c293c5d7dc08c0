-- An upload may be opened again for files that the store lost or damaged.
-- +goose Up
-- When those had arrived; 0 never. completed_at stays, so that what was reported of the upload's day stays where it is.
ALTER TABLE uploads ADD COLUMN resent_at BIGINT NOT NULL DEFAULT 0;

-- +goose Down
SELECT 1;
