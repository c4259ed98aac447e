-- Rows that are over: a start reads the others only, and what left memory is read by its id.
ALTER TABLE holds ADD COLUMN closed BIGINT NOT NULL DEFAULT 0;
UPDATE holds SET closed = 1 WHERE status <> 'open';
CREATE INDEX holds_open ON holds (id) WHERE closed = 0;
