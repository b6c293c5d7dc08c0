-- The files that make up the current version of each dataset partition.
-- +goose Up
CREATE TABLE dataset_files (
    dataset   TEXT   NOT NULL,
    partition_key TEXT NOT NULL, -- for example date=2024-05-10/h3_r4=841f059ffffffff
    object    TEXT   NOT NULL,   -- key in the lake bucket, named by content
    sha256    TEXT   NOT NULL,
    bytes     BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    PRIMARY KEY (dataset, partition_key)
);

-- +goose Down
SELECT 1;
