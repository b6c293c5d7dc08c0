-- Open bounties around a place are asked for by every map of opportunities: by cell, not by order.
-- +goose Up
CREATE INDEX work_orders_cell ON work_orders (cell, state);

-- +goose Down
DROP INDEX work_orders_cell;
