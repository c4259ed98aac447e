-- More kinds leave memory once they are closed. Which rows of before are closed says their content: `recall::mark_closed`.
-- A start reads what is open, and what was written later than the last position at which closed rows left.
ALTER TABLE orders ADD COLUMN closed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE legs ADD COLUMN closed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN closed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE splits ADD COLUMN closed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE refunds ADD COLUMN closed BIGINT NOT NULL DEFAULT 0;
CREATE INDEX orders_open ON orders (id) WHERE closed = 0;
CREATE INDEX legs_open ON legs (id) WHERE closed = 0;
CREATE INDEX attempts_open ON attempts (id) WHERE closed = 0;
CREATE INDEX splits_open ON splits (id) WHERE closed = 0;
CREATE INDEX refunds_open ON refunds (id) WHERE closed = 0;
CREATE INDEX holds_closed ON holds (position, id) WHERE closed = 1;
CREATE INDEX orders_closed ON orders (position, id) WHERE closed = 1;
CREATE INDEX legs_closed ON legs (position, id) WHERE closed = 1;
CREATE INDEX attempts_closed ON attempts (position, id) WHERE closed = 1;
CREATE INDEX splits_closed ON splits (position, id) WHERE closed = 1;
CREATE INDEX refunds_closed ON refunds (position, id) WHERE closed = 1;
