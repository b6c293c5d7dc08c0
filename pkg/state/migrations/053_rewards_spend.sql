-- Rewards: what of the customers' charges and of the reviewers' points closed epochs have counted.
--
-- reward_spend (051) has one row for each charge and cell, entered by Tx.Charge in the transaction that takes the
-- customer's credits. A row holds:
--   id      the charge's: the same for all its cells, unique among charges for ever, not telling who the customer is
--   cell    H3 cell of resolution 12 that the answer served
--   amount  base units (10^-9 token), positive: this cell's part of credits × survey.CreditUnits (survey.Charge.Split)
--   at      microseconds since 1970 UTC: when the charge was committed
-- Rows are never changed or deleted. An epoch counts what lies before its end and is not in reward_spend_booked yet, so
-- that a row which arrives late counts in the next epoch. reward_reviews is read in the same way.
-- +goose Up
CREATE TABLE reward_spend_booked (
    cell   BIGINT PRIMARY KEY,
    amount BIGINT NOT NULL -- base units counted in all closed epochs
);
CREATE TABLE reward_reviews_booked (
    contributor_id TEXT   PRIMARY KEY REFERENCES contributors (id),
    points         BIGINT NOT NULL
);

-- +goose Down
DROP TABLE reward_reviews_booked;
DROP TABLE reward_spend_booked;
