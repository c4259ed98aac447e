-- Refunds; out_refund_no is empty for money that no order can use; created_at in milliseconds since 1970.
CREATE TABLE refunds (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    order_id BIGINT NOT NULL,
    out_refund_no TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX refunds_by_order_id ON refunds (order_id, id);
CREATE INDEX refunds_by_out_refund_no ON refunds (out_refund_no, id);
CREATE INDEX refunds_by_status ON refunds (status, id);
