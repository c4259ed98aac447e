-- Splits; payee is the merchant whose share was split.
CREATE TABLE splits (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    order_id BIGINT NOT NULL,
    out_split_no TEXT NOT NULL,
    payee BIGINT NOT NULL
);
CREATE INDEX splits_by_order_id ON splits (order_id, id);
CREATE INDEX splits_by_out_split_no ON splits (out_split_no, id);
CREATE INDEX splits_by_payee ON splits (payee, id);
