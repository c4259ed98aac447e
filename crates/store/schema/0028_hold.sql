-- Holds of incoming money, and what their placers know them by. Rows written before have neither: they are of money that
-- goes out.
ALTER TABLE holds ADD COLUMN direction TEXT NOT NULL DEFAULT 'out';
ALTER TABLE holds ADD COLUMN reference TEXT;
CREATE INDEX holds_by_reference ON holds (reference, id);
