-- What a customer's key may use of the query engine, where it differs from the server's; 0 means the server's.
-- +goose Up
CREATE TABLE query_limits (
    key_id    TEXT   PRIMARY KEY REFERENCES api_keys (id),
    memory_mb BIGINT NOT NULL DEFAULT 0,
    time_ms   BIGINT NOT NULL DEFAULT 0, -- of one query, inside the engine
    queries   BIGINT NOT NULL DEFAULT 0  -- at a time
);

-- +goose Down
DROP TABLE query_limits;
