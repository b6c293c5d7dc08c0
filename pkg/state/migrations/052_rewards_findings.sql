-- Rewards read the doubts about drives where ingest keeps them: table findings (010).
-- +goose Up
DROP TABLE drive_findings;

-- +goose Down
SELECT 1;
