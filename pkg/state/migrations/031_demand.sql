-- Who asked for the work orders whose cells are in work_orders (051): terms and priority, one row an order.
-- +goose Up
CREATE TABLE demand (
    id         TEXT   PRIMARY KEY, -- work_orders.id
    kind       TEXT   NOT NULL, -- order, burst
    owner      TEXT   NOT NULL, -- who pays, as the operator names them; never shown to others
    price      BIGINT NOT NULL, -- base units for each target cell, flat
    bid        BIGINT NOT NULL, -- priority: orders what drivers see, changes no payment
    cells      BIGINT NOT NULL,
    starts_at  BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL, -- half-open
    created_at BIGINT NOT NULL
);
CREATE INDEX demand_ends ON demand (ends_at);

-- +goose Down
DROP TABLE demand;
