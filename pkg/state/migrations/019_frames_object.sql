-- Which frames an original in the private bucket belongs to; empty once it expired, so that the index stays small.
-- +goose Up
CREATE INDEX frames_object ON frames (object) WHERE object <> '';

-- +goose Down
SELECT 1;
