-- How tries at channels ended, summed by the day on which they were asked for. through is the position of the last answer that
-- counts here: one that is written again is passed over.
CREATE TABLE channel_rates (
    date BIGINT NOT NULL,
    direction TEXT NOT NULL,
    channel TEXT NOT NULL,
    product TEXT NOT NULL,
    bank TEXT NOT NULL,
    through BIGINT NOT NULL,
    success BIGINT NOT NULL,
    by_user BIGINT NOT NULL,
    by_risk BIGINT NOT NULL,
    by_bank BIGINT NOT NULL,
    by_system BIGINT NOT NULL,
    not_found BIGINT NOT NULL,
    PRIMARY KEY (date, direction, channel, product, bank)
);
