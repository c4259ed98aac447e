-- Card transactions; terminal, batch and trace are empty for what no terminal asked for.
CREATE TABLE card_transactions (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    merchant BIGINT NOT NULL,
    terminal BIGINT,
    batch BIGINT,
    trace BIGINT,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    original BIGINT
);
CREATE INDEX card_transactions_by_merchant ON card_transactions (merchant, id);
CREATE INDEX card_transactions_by_terminal_batch_trace ON card_transactions (terminal, batch, trace, id);
CREATE INDEX card_transactions_by_status ON card_transactions (status, id);
CREATE INDEX card_transactions_by_original ON card_transactions (original, id);
