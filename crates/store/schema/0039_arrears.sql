-- What merchants owe to own money.
CREATE TABLE arrears (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    merchant BIGINT NOT NULL,
    status TEXT NOT NULL
);
CREATE INDEX arrears_by_merchant ON arrears (merchant, id);
CREATE INDEX arrears_by_status ON arrears (status, id);
