-- Live cells: what has been seen where. A row of cells is a pure function of the rows of cell_parts under it.
-- +goose Up

-- One row per live cell at the base resolution and at each coarser stored one; the resolution is part of the index, so
-- one range of integers is one resolution, and the rows under a coarser cell are a range too.
CREATE TABLE cells (
    cell          BIGINT PRIMARY KEY,
    live          BIGINT NOT NULL, -- live base cells under it, 1 at the base resolution
    observations  BIGINT NOT NULL,
    quality_sum   BIGINT NOT NULL, -- parts per million
    best_quality  BIGINT NOT NULL,
    first_seen    BIGINT NOT NULL, -- capture time
    last_seen     BIGINT NOT NULL,
    last_received BIGINT NOT NULL,
    seen          BYTEA  NOT NULL  -- freshness.Seen: sorted (place, second) pairs, see pkg/hex/cells/FORMAT.md
);

-- What each drive contributes: one row per drive and area, an area being an ancestor three resolutions above the base.
CREATE TABLE cell_parts (
    area        BIGINT NOT NULL,
    drive_id    TEXT   NOT NULL,
    received_at BIGINT NOT NULL, -- newest receive time of its observations
    entries     BYTEA  NOT NULL, -- per base cell, see pkg/hex/cells/FORMAT.md
    PRIMARY KEY (area, drive_id)
);
CREATE INDEX cell_parts_drive ON cell_parts (drive_id);

-- +goose Down
DROP TABLE cell_parts;
DROP TABLE cells;
