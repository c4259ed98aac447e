-- What leaves by channels: a row a channel, by the name of its rail, and currency.
CREATE TABLE outflows (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    rail TEXT NOT NULL,
    currency TEXT NOT NULL
);
