-- The chain: who uploads, what was uploaded, the drives cut from it and their frames.
-- +goose Up
CREATE TABLE contributors (
    id             TEXT   PRIMARY KEY,
    handle         TEXT   NOT NULL DEFAULT '',
    payout_address TEXT   NOT NULL DEFAULT '', -- 0x… lower case; never read by tiles or datasets
    token_sha256   TEXT   NOT NULL DEFAULT '', -- of the bearer token; the token itself is never kept
    created_at     BIGINT NOT NULL
);
CREATE UNIQUE INDEX contributors_token ON contributors (token_sha256) WHERE token_sha256 <> '';

CREATE TABLE uploads (
    id             TEXT   PRIMARY KEY,
    contributor_id TEXT   NOT NULL REFERENCES contributors (id),
    state          TEXT   NOT NULL, -- survey.UploadState
    options        TEXT   NOT NULL, -- survey.UploadOptions
    files          BIGINT NOT NULL,
    bytes          BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    completed_at   BIGINT NOT NULL DEFAULT 0,
    ingested_at    BIGINT NOT NULL DEFAULT 0,
    settled_at     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX uploads_contributor ON uploads (contributor_id, created_at);
CREATE INDEX uploads_state ON uploads (state, created_at);

CREATE TABLE upload_files (
    upload_id  TEXT   NOT NULL REFERENCES uploads (id),
    path       TEXT   NOT NULL,
    sha256     TEXT   NOT NULL,
    bytes      BIGINT NOT NULL,
    object     TEXT   NOT NULL DEFAULT '', -- key in the private bucket, set when the bytes have arrived
    kind       TEXT   NOT NULL DEFAULT '', -- image, track, film; set by ingest
    verdict    TEXT   NOT NULL DEFAULT '', -- '', accepted, rejected; final once set, except quarantine
    reason     TEXT   NOT NULL DEFAULT '', -- survey.Reason
    message    TEXT   NOT NULL DEFAULT '',
    vars       TEXT   NOT NULL DEFAULT '{}',
    PRIMARY KEY (upload_id, path)
);
CREATE INDEX upload_files_sha ON upload_files (sha256);

CREATE TABLE drives (
    id              TEXT   PRIMARY KEY,
    upload_id       TEXT   NOT NULL REFERENCES uploads (id),
    contributor_id  TEXT   NOT NULL REFERENCES contributors (id),
    device_id       TEXT   NOT NULL,
    state           TEXT   NOT NULL, -- vision, indexed
    started_at      BIGINT NOT NULL,
    ended_at        BIGINT NOT NULL,
    received_at     BIGINT NOT NULL,
    frames          BIGINT NOT NULL,
    parts           BIGINT NOT NULL,
    distance_mm     BIGINT NOT NULL,
    flags           TEXT   NOT NULL DEFAULT '[]',
    manifest_sha256 TEXT   NOT NULL, -- object drives/<id>.json in the ledger bucket
    revision        BIGINT NOT NULL DEFAULT 0, -- raised when the set of published frames changes after indexing
    indexed_at      BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX drives_upload ON drives (upload_id);
CREATE INDEX drives_contributor ON drives (contributor_id, started_at);

-- One row per part of a drive: vision's unit of work. done_run is the last run finished, -1 before the first.
CREATE TABLE drive_parts (
    drive_id TEXT   NOT NULL REFERENCES drives (id),
    part     BIGINT NOT NULL,
    done_run BIGINT NOT NULL DEFAULT -1,
    PRIMARY KEY (drive_id, part)
);

CREATE TABLE frames (
    id            TEXT   PRIMARY KEY,
    drive_id      TEXT   NOT NULL REFERENCES drives (id),
    part          BIGINT NOT NULL,
    seq           BIGINT NOT NULL,
    upload_id     TEXT   NOT NULL,
    path          TEXT   NOT NULL,
    object        TEXT   NOT NULL,           -- original, in the private bucket; '' once expired
    film_pts_us   BIGINT NOT NULL DEFAULT -1, -- for a frame of a film: microseconds from its start
    sha256        TEXT   NOT NULL,
    bytes         BIGINT NOT NULL,
    captured_at   BIGINT NOT NULL,
    received_at   BIGINT NOT NULL,
    lat_e7        BIGINT NOT NULL,
    lon_e7        BIGINT NOT NULL,
    alt_mm        BIGINT,
    heading_mdeg  BIGINT NOT NULL DEFAULT -1, -- thousandths of a degree from true north, -1 unknown
    speed_mmps    BIGINT NOT NULL DEFAULT 0,
    accuracy_mm   BIGINT NOT NULL DEFAULT 0,
    cell          BIGINT NOT NULL,
    width         BIGINT NOT NULL,
    height        BIGINT NOT NULL,
    flags         TEXT   NOT NULL DEFAULT '[]',
    state         TEXT   NOT NULL, -- survey.FrameState
    reason        TEXT   NOT NULL DEFAULT '',
    quality_ppm   BIGINT NOT NULL DEFAULT 0,
    quality       TEXT   NOT NULL DEFAULT '', -- survey.Quality
    redaction     TEXT   NOT NULL DEFAULT '', -- survey.Redaction
    public_key    TEXT   NOT NULL DEFAULT '',
    public_sha256 TEXT   NOT NULL DEFAULT '',
    public_bytes  BIGINT NOT NULL DEFAULT 0,
    public_width  BIGINT NOT NULL DEFAULT 0,
    public_height BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX frames_drive ON frames (drive_id, seq);
CREATE INDEX frames_cell ON frames (cell, captured_at);
CREATE INDEX frames_upload ON frames (upload_id, path);

-- What each consumer (tiles, datasets) has not yet seen: topic and key name the thing, n rises with each change.
CREATE TABLE changes (
    consumer TEXT   NOT NULL,
    topic    TEXT   NOT NULL,
    key      TEXT   NOT NULL,
    n        BIGINT NOT NULL,
    PRIMARY KEY (consumer, topic, key)
);

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- +goose Down
SELECT 1;
