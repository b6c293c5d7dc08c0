-- The processes that work jobs. One that has not been seen for a while is dead, and what it had in hand goes to another.
-- +goose Up
CREATE TABLE workers (
    id         TEXT   PRIMARY KEY, -- as in river_job.attempted_by
    started_at BIGINT NOT NULL,    -- this and seen_at by the database's clock
    seen_at    BIGINT NOT NULL
);

-- +goose Down
SELECT 1;
