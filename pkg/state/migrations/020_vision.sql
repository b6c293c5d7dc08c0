-- Vision: which frames a worker had in hand, so that an image that kills workers is found and left alone.
-- +goose Up
CREATE TABLE vision_parts_begun (
    drive_id TEXT   NOT NULL,
    part     BIGINT NOT NULL,
    run      BIGINT NOT NULL,
    begun    BIGINT NOT NULL, -- how often work on the part began without ending in an answer
    PRIMARY KEY (drive_id, part, run)
);
CREATE TABLE vision_frames_begun (
    frame_id TEXT   NOT NULL,
    run      BIGINT NOT NULL,
    begun    BIGINT NOT NULL,
    PRIMARY KEY (frame_id, run)
);

-- +goose Down
SELECT 1;
