-- Pay passwords by the user's id; the blob holds a sealed tag, never the password.
CREATE TABLE pay_passwords (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    tries BIGINT NOT NULL
);
