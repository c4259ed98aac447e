-- The CRC-32 over the rest of a key's row, so that a changed bit is found when the row is read. NULL in rows that a program
-- of before wrote: those are compared with the journal by `lintel verify` alone, until a rebuild writes them anew.
ALTER TABLE idempotency_keys ADD COLUMN checksum BIGINT;
