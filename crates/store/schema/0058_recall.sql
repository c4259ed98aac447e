-- Card transactions leave memory once they are closed. Which rows of before are closed says their content: `recall::mark_closed_cards`.
ALTER TABLE card_transactions ADD COLUMN closed BIGINT NOT NULL DEFAULT 0;
CREATE INDEX card_transactions_open ON card_transactions (id) WHERE closed = 0;
CREATE INDEX card_transactions_closed ON card_transactions (position, id) WHERE closed = 1;
