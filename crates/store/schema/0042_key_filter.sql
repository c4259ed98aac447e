-- Filters of the keys of a span of positions, which stand in memory in place of the keys; made from idempotency_keys and
-- made again where one is missing. The checksum is the CRC-32 of the rest of the row.
CREATE TABLE key_filters (
    through_position BIGINT PRIMARY KEY,
    after_position BIGINT NOT NULL,
    keys BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    filter BYTEA NOT NULL
);
-- Keys are read back by position, in which months lie one behind the other.
CREATE INDEX idempotency_keys_by_position ON idempotency_keys (position);
DROP INDEX idempotency_keys_by_month;
