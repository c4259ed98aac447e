-- The catalogue of runs: a file of the lake without a row here does not exist. Dates in days since 1970.
CREATE TABLE runs (
    path TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    date BIGINT NOT NULL,
    first_position BIGINT NOT NULL,
    last_position BIGINT NOT NULL,
    file_rows BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    min_account BIGINT NOT NULL,
    max_account BIGINT NOT NULL
);
CREATE INDEX runs_by_date ON runs (date, kind);
