-- The trace that a drive was made in, so that what happens days later (the payout) can be shown in it.
-- +goose Up
CREATE TABLE drive_traces (
    drive_id    TEXT PRIMARY KEY,
    traceparent TEXT NOT NULL -- W3C Trace Context
);

-- +goose Down
SELECT 1;
