-- Approvals: kind is that of the proposal.
CREATE TABLE approvals (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    maker BIGINT NOT NULL
);
CREATE INDEX approvals_by_status ON approvals (status, id);
CREATE INDEX approvals_by_maker ON approvals (maker, id);
