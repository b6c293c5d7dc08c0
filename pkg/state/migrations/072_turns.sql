-- Which job does the work of a kind that is done once at a time, and whether more came since it began.
-- +goose Up
CREATE TABLE turns (
    kind  TEXT   PRIMARY KEY, -- as river_job.kind
    job   BIGINT NOT NULL,    -- river_job.id; 0 when nobody is at it
    again BIGINT NOT NULL     -- 1 when another job counts on this one
);

-- +goose Down
SELECT 1;
