-- Vision: what people say about published frames, and the number of the last run asked for on a part.
-- +goose Up
CREATE TABLE frame_reports (
    id          TEXT   PRIMARY KEY,
    frame_id    TEXT   NOT NULL REFERENCES frames (id),
    kind        TEXT   NOT NULL,           -- blur_missing, blur_excess, remove
    class       TEXT   NOT NULL DEFAULT '', -- of what shows: survey.Class
    x           BIGINT NOT NULL DEFAULT 0,  -- region in pixels of the published image
    y           BIGINT NOT NULL DEFAULT 0,
    w           BIGINT NOT NULL DEFAULT 0,
    h           BIGINT NOT NULL DEFAULT 0,
    note        TEXT   NOT NULL DEFAULT '',
    state       TEXT   NOT NULL,           -- open, applied, refused
    created_at  BIGINT NOT NULL,
    resolved_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX frame_reports_frame ON frame_reports (frame_id);
CREATE INDEX frame_reports_state ON frame_reports (state, created_at);

CREATE TABLE vision_runs (
    drive_id TEXT   NOT NULL,
    part     BIGINT NOT NULL,
    run      BIGINT NOT NULL,
    PRIMARY KEY (drive_id, part)
);

-- +goose Down
SELECT 1;
