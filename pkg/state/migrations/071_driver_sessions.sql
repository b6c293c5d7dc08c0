-- Sessions of the drivers' web pages.
-- +goose Up
CREATE TABLE driver_sessions (
    sha256         TEXT   PRIMARY KEY,     -- of the cookie's secret; itself never kept
    id             TEXT   NOT NULL UNIQUE, -- by which the driver ends it; opens nothing
    contributor_id TEXT   NOT NULL REFERENCES contributors (id),
    token_sha256   TEXT   NOT NULL,    -- of the token that began it: with another token of the driver it is over
    created_at     BIGINT NOT NULL,
    used_at        BIGINT NOT NULL     -- written at most every quarter of an hour
);
CREATE INDEX driver_sessions_contributor ON driver_sessions (contributor_id);

-- +goose Down
SELECT 1;
