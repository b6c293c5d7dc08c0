-- Vision: what is seen of the road's furniture. Sightings are boxes in published images that no redaction touches; a map
-- feature is a place that at least three frames of one drive agree on. Both are replaced as a whole when a drive's frames
-- are looked at anew. The change feed names the cells where features came or went (topic "feature").
-- +goose Up
CREATE TABLE frame_features (
    frame_id       TEXT   NOT NULL REFERENCES frames (id),
    n              BIGINT NOT NULL,            -- place among the frame's, 0-based
    class          TEXT   NOT NULL,            -- survey.Class: sign, text
    kind           TEXT   NOT NULL DEFAULT '', -- survey.FeatureKind
    x              BIGINT NOT NULL,            -- pixels of the published image, from the top left
    y              BIGINT NOT NULL,
    w              BIGINT NOT NULL,
    h              BIGINT NOT NULL,
    confidence_ppm BIGINT NOT NULL,
    model          TEXT   NOT NULL,            -- what found it
    feature_id     TEXT   NOT NULL DEFAULT '', -- of map_features, once placed
    PRIMARY KEY (frame_id, n)
);
CREATE INDEX frame_features_feature ON frame_features (feature_id);

CREATE TABLE map_features (
    id             TEXT   PRIMARY KEY,         -- survey.FeatureID
    drive_id       TEXT   NOT NULL REFERENCES drives (id),
    class          TEXT   NOT NULL,
    kind           TEXT   NOT NULL DEFAULT '',
    lat_e7         BIGINT NOT NULL,
    lon_e7         BIGINT NOT NULL,
    cell           BIGINT NOT NULL,            -- H3, at the resolution of frames
    sigma_mm       BIGINT NOT NULL,            -- one standard deviation along the worst direction
    frames         BIGINT NOT NULL,            -- that agree, 3 or more
    first_seen     BIGINT NOT NULL,            -- capture time of the first of them, microseconds
    last_seen      BIGINT NOT NULL,
    confidence_ppm BIGINT NOT NULL
);
CREATE INDEX map_features_drive ON map_features (drive_id);
CREATE INDEX map_features_cell ON map_features (cell);

-- +goose Down
DROP TABLE map_features;
DROP TABLE frame_features;
