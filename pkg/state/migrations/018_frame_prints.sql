-- Prints of pictures, by which one that was encoded anew is known again.
-- +goose Up
CREATE TABLE frame_prints (
    frame_id TEXT   PRIMARY KEY REFERENCES frames (id),
    drive_id TEXT   NOT NULL,
    across   BIGINT NOT NULL, -- 64 signs of differences of brightness, as two's complement
    down     BIGINT NOT NULL
);
CREATE INDEX frame_prints_drive ON frame_prints (drive_id);

-- What prints are looked up by: near ones share a band.
CREATE TABLE frame_bands (
    band     BIGINT NOT NULL, -- its number times 2^32, and its 32 bits
    frame_id TEXT   NOT NULL,
    PRIMARY KEY (band, frame_id)
);

-- +goose Down
SELECT 1;
