-- Clearing files, a row a part: date in days since 1970, different how many lines or attempts differ.
CREATE TABLE clearings (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    rail TEXT NOT NULL,
    date BIGINT NOT NULL,
    different BIGINT NOT NULL
);
CREATE INDEX clearings_by_date ON clearings (date, id);
