-- Entries of block lists: party as its list names it, never a card's number; removed is 1 once it was taken away.
CREATE TABLE block_entries (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    list TEXT NOT NULL,
    party TEXT NOT NULL,
    removed BIGINT NOT NULL
);
CREATE INDEX block_entries_by_list ON block_entries (list, id);
CREATE INDEX block_entries_by_party ON block_entries (party, id);
