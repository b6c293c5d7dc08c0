-- Ingest: circles that a contributor keeps private, and findings about drives.
-- +goose Up
CREATE TABLE privacy_zones (
    id             TEXT   PRIMARY KEY,
    contributor_id TEXT   NOT NULL REFERENCES contributors (id),
    lat_e7         BIGINT NOT NULL,
    lon_e7         BIGINT NOT NULL,
    radius_mm      BIGINT NOT NULL, -- by geodesic distance
    created_at     BIGINT NOT NULL
);
CREATE INDEX privacy_zones_contributor ON privacy_zones (contributor_id);

-- A finding is a score with evidence about a drive; it never rejects anything by itself.
CREATE TABLE findings (
    drive_id  TEXT   NOT NULL REFERENCES drives (id),
    kind      TEXT   NOT NULL,
    subject   TEXT   NOT NULL DEFAULT '', -- what else it concerns: a drive, a source; part of the identity
    score_ppm BIGINT NOT NULL,            -- 0 harmless to 1,000,000 certain
    evidence  TEXT   NOT NULL DEFAULT '{}',
    found_at  BIGINT NOT NULL,
    PRIMARY KEY (drive_id, kind, subject)
);

-- +goose Down
SELECT 1;
