-- Frames by their exact place: the look for positions that another upload has already shown, in busy cells too.
-- +goose Up
CREATE INDEX frames_place ON frames (lat_e7, lon_e7);

-- +goose Down
SELECT 1;
