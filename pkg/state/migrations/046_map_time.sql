-- Published frames in order of time, for searches over wide areas.
-- +goose Up
CREATE INDEX frames_published ON frames (captured_at, id) WHERE state = 'published';

-- +goose Down
DROP INDEX frames_published;
