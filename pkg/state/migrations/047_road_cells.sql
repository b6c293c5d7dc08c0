-- The road of the counted extract (meta, road_network) by cell of a few resolutions, and how much of it was driven.
-- +goose Up
CREATE TABLE road_cells (
    cell       BIGINT PRIMARY KEY,
    road_mm    BIGINT NOT NULL,
    covered_mm BIGINT NOT NULL -- in at least one direction
);

-- +goose Down
DROP TABLE road_cells;
