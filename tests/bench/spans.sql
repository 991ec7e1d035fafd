-- The benchmark's table: the columns of otel_logs_and_spans that dashboards use most, 25 of them.
-- date is derived from timestamp when the input has none.
CREATE TABLE spans (
    date                                        date NOT NULL,
    timestamp                                   timestamptz NOT NULL,
    id                                          text NOT NULL,
    parent_id                                   text,
    name                                        text,
    kind                                        text,
    status_code                                 text,
    level                                       text,
    duration                                    bigint,
    start_time                                  timestamptz,
    end_time                                    timestamptz,
    context___trace_id                          text,
    context___span_id                           text,
    attributes                                  jsonb,
    attributes___http___request___method        text,
    attributes___http___response___status_code  integer,
    attributes___url___path                     text,
    attributes___user___id                      text,
    attributes___session___id                   text,
    attributes___db___system___name             text,
    resource___service___name                   text,
    resource___service___version                text,
    project_id                                  text,
    summary                                     text[] NOT NULL,
    message_size_bytes                          bigint
)
PARTITION BY LIST (project_id, date)
WITH (
    tsf.sort_order = 'timestamp DESC, resource___service___name, id',
    tsf.dedup_keys = 'timestamp, id',
    tsf.bloom_columns = 'id, parent_id, context___trace_id, context___span_id, attributes___session___id, attributes___user___id'
);
