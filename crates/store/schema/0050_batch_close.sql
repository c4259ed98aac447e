-- Batch closes of terminals.
CREATE TABLE batch_closes (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    terminal BIGINT NOT NULL,
    batch BIGINT NOT NULL,
    status TEXT NOT NULL
);
CREATE INDEX batch_closes_by_terminal_batch ON batch_closes (terminal, batch, id);
