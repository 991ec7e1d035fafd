-- Plain logs: a time, a level, a message, and everything else as JSON in attributes.
-- tsf-query -f logs.sql creates the table.
CREATE TABLE IF NOT EXISTS logs (
    date       date NOT NULL,
    timestamp  timestamptz NOT NULL,
    level      text,
    host       text,
    service    text,
    message    text,
    attributes json
)
PARTITION BY LIST (date)
WITH (
    tsf.sort_order = 'timestamp DESC, host, service'
);
