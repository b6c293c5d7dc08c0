-- Roads: what each drive covered of the road network, when an OSM extract is given, and the network's share by cell.
-- +goose Up
CREATE TABLE road_stretches (
    drive_id TEXT   NOT NULL,
    way      BIGINT NOT NULL, -- OSM id
    node     BIGINT NOT NULL, -- index in the way of the segment's first node
    backward BIGINT NOT NULL, -- 0 in the direction of the segment, 1 against it
    from_mm  BIGINT NOT NULL, -- from the segment's first point
    to_mm    BIGINT NOT NULL,
    PRIMARY KEY (drive_id, way, node, backward, from_mm)
);
CREATE INDEX road_stretches_way ON road_stretches (way, node);

-- How each drive matched: the quality of the matching, in the open.
CREATE TABLE road_matches (
    drive_id     TEXT   PRIMARY KEY,
    network      TEXT   NOT NULL, -- SHA-256 of the extract
    fixes        BIGINT NOT NULL,
    used         BIGINT NOT NULL,
    matched      BIGINT NOT NULL,
    breaks       BIGINT NOT NULL,
    mean_dist_mm BIGINT NOT NULL,
    length_mm    BIGINT NOT NULL,
    straight_mm  BIGINT NOT NULL,
    joined_mm    BIGINT NOT NULL
);

-- +goose Down
DROP TABLE road_matches;
DROP TABLE road_stretches;
