-- Prints of a drive's motion that survive moving it in place and time.
-- +goose Up
CREATE TABLE trace_prints (
    print    BIGINT NOT NULL,
    drive_id TEXT   NOT NULL REFERENCES drives (id),
    PRIMARY KEY (print, drive_id)
);
CREATE INDEX trace_prints_drive ON trace_prints (drive_id);

-- +goose Down
SELECT 1;
