-- Bank cards that sent a withdrawal back; verified is 1 once money may go there again.
CREATE TABLE bank_cards (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    customer BIGINT NOT NULL,
    verified BIGINT NOT NULL
);
CREATE INDEX bank_cards_by_customer ON bank_cards (customer, id);
