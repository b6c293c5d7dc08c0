-- Vision: what a frame's camera sees across, where its file says so; places of features and resolution per degree use it.
-- +goose Up
ALTER TABLE frames ADD COLUMN fov_mdeg BIGINT NOT NULL DEFAULT 0; -- across the upright picture, thousandths of a degree, 0 unknown

-- +goose Down
ALTER TABLE frames DROP COLUMN fov_mdeg;
