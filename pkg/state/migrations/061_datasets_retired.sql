-- Objects of the lake that no snapshot names any more, until the sweep removes them.
-- +goose Up
CREATE TABLE dataset_retired (
    object     TEXT   PRIMARY KEY, -- key in the lake bucket
    retired_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE dataset_retired;
