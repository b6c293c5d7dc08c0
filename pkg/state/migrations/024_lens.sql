-- Vision: what stays on the lens during a drive. Sketches are kept until all parts of the drive are done.
-- +goose Up
CREATE TABLE frame_sketches (
    frame_id TEXT   PRIMARY KEY REFERENCES frames (id),
    drive_id TEXT   NOT NULL,
    sketch   BYTEA  NOT NULL -- brightness and detail of blocks of 16 pixels at 1,024 across: vision/quality
);
CREATE INDEX frame_sketches_drive ON frame_sketches (drive_id);

-- Which frames of a drive were taken through a dirty lens. A drive without rows has none, or was too short to tell.
CREATE TABLE drive_lens (
    drive_id  TEXT   NOT NULL REFERENCES drives (id),
    first_seq BIGINT NOT NULL, -- of the frames that it is about
    last_seq  BIGINT NOT NULL, -- inclusive
    share_ppm BIGINT NOT NULL, -- of the picture that is hidden
    spots     TEXT   NOT NULL, -- JSON: where
    PRIMARY KEY (drive_id, first_seq)
);

-- +goose Down
DROP TABLE drive_lens;
DROP TABLE frame_sketches;
