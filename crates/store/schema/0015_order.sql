-- Orders; created_at in milliseconds since 1970.
CREATE TABLE orders (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    merchant BIGINT NOT NULL,
    out_trade_no TEXT NOT NULL,
    payer BIGINT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX orders_by_merchant ON orders (merchant, id);
CREATE INDEX orders_by_out_trade_no ON orders (out_trade_no, id);
CREATE INDEX orders_by_payer ON orders (payer, id);
CREATE INDEX orders_by_status ON orders (status, id);
CREATE INDEX orders_by_created_at ON orders (created_at, id);
