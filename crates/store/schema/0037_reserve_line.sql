-- Lines of the reserve account's statement; suspended: money in that nothing awaited.
CREATE TABLE reserve_lines (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    reference TEXT NOT NULL,
    date BIGINT NOT NULL,
    direction TEXT NOT NULL,
    suspended BIGINT NOT NULL
);
CREATE INDEX reserve_lines_by_reference ON reserve_lines (reference, id);
CREATE INDEX reserve_lines_by_date ON reserve_lines (date, id);

-- Closing balances of the reserve account's statement.
CREATE TABLE reserve_balances (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    date BIGINT NOT NULL
);
CREATE INDEX reserve_balances_by_date ON reserve_balances (date, id);
