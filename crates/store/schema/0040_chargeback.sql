-- Chargebacks.
CREATE TABLE chargebacks (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    merchant BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    case_number TEXT NOT NULL,
    status TEXT NOT NULL
);
CREATE INDEX chargebacks_by_merchant ON chargebacks (merchant, id);
CREATE INDEX chargebacks_by_order_id ON chargebacks (order_id, id);
CREATE INDEX chargebacks_by_case_number ON chargebacks (case_number, id);
