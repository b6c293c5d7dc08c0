-- Large originals whose bytes were read and compared with their announced hash, so that an ingest that was cut off does
-- not read them again.
-- +goose Up
CREATE TABLE ingest_verified (
    object      TEXT   PRIMARY KEY, -- key in the private bucket
    etag        TEXT   NOT NULL,    -- of the object then; another one is read again
    verified_at BIGINT NOT NULL
);

-- +goose Down
SELECT 1;
