-- The driver's API: resumable uploads, limits of single contributors.
-- +goose Up
-- When a URL to send the file was first handed out; 0 never. Only then can its object be there, so only then is the
-- store asked.
ALTER TABLE upload_files ADD COLUMN offered_at BIGINT NOT NULL DEFAULT 0;

-- Large objects under way, by their key in the private bucket.
CREATE TABLE upload_parts (
    object     TEXT   PRIMARY KEY,
    parts_id   TEXT   NOT NULL, -- the object store's id of the multipart upload
    part_bytes BIGINT NOT NULL, -- of each part but the last
    bytes      BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Limits that differ from the server's; 0 means the server's.
CREATE TABLE contributor_limits (
    contributor_id TEXT   PRIMARY KEY REFERENCES contributors (id),
    upload_bytes   BIGINT NOT NULL DEFAULT 0,
    day_bytes      BIGINT NOT NULL DEFAULT 0,
    open_uploads   BIGINT NOT NULL DEFAULT 0,
    blocked_at     BIGINT NOT NULL DEFAULT 0  -- since when nothing more is taken; 0 not blocked
);

-- +goose Down
SELECT 1;
