-- Agreements: party is an id in text, account the agreement's own.
CREATE TABLE agreements (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    number TEXT NOT NULL,
    party TEXT NOT NULL,
    account BIGINT NOT NULL,
    status TEXT NOT NULL
);
CREATE INDEX agreements_by_number ON agreements (number, id);
CREATE INDEX agreements_by_party ON agreements (party, id);
