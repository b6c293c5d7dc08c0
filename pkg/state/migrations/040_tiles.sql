-- What the tile layers drew of each drive, so that a change knows which tiles held it before.
-- +goose Up
CREATE TABLE tile_drives (
    drive_id    TEXT   PRIMARY KEY,
    x0          BIGINT NOT NULL, -- box in the Web Mercator square of side 2^32, inclusive
    y0          BIGINT NOT NULL,
    x1          BIGINT NOT NULL,
    y1          BIGINT NOT NULL,
    captured_at BIGINT NOT NULL, -- of the first and last published frame
    ended_at    BIGINT NOT NULL,
    frames      BIGINT NOT NULL, -- published
    distance_mm BIGINT NOT NULL, -- along the line, gaps left out
    line        TEXT   NOT NULL  -- the published frames in order; see tiles/worker
);

-- +goose Down
DROP TABLE tile_drives;
