-- Parts of the network's files of card transactions: date in days since 1970.
CREATE TABLE card_clearings (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    date BIGINT NOT NULL,
    different BIGINT NOT NULL
);
CREATE INDEX card_clearings_by_date ON card_clearings (date, id);
