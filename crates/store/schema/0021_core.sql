-- What of the state is no row, as of the checkpoint; NULL where an older program wrote the checkpoint.
ALTER TABLE checkpoint ADD COLUMN core BYTEA;
ALTER TABLE checkpoint ADD COLUMN core_checksum BIGINT;
