-- Surrogate keys that a cache in front of the map has still to drop.
-- +goose Up
CREATE TABLE tile_purges (
    key           TEXT   PRIMARY KEY,
    after_version BIGINT NOT NULL, -- of the tile manifest: not before it is in force
    at            BIGINT NOT NULL
);

-- +goose Down
DROP TABLE tile_purges;
