-- NDJSON at @IN@ to sorted, partitioned Parquet under @OUT@: what tsf-ingest and tsf-flush do together
COPY (
    SELECT CAST(timestamp AS DATE) AS date, *
    FROM read_json(@IN@, format = 'newline_delimited', columns = {
        timestamp: 'TIMESTAMPTZ', id: 'VARCHAR', parent_id: 'VARCHAR', name: 'VARCHAR', kind: 'VARCHAR',
        status_code: 'VARCHAR', level: 'VARCHAR', duration: 'BIGINT', start_time: 'TIMESTAMPTZ', end_time: 'TIMESTAMPTZ',
        context___trace_id: 'VARCHAR', context___span_id: 'VARCHAR', attributes: 'VARCHAR',
        attributes___http___request___method: 'VARCHAR', attributes___http___response___status_code: 'INTEGER',
        attributes___url___path: 'VARCHAR', attributes___user___id: 'VARCHAR', attributes___session___id: 'VARCHAR',
        attributes___db___system___name: 'VARCHAR', resource___service___name: 'VARCHAR',
        resource___service___version: 'VARCHAR', project_id: 'VARCHAR', summary: 'VARCHAR[]',
        message_size_bytes: 'BIGINT'})
    ORDER BY project_id, date, timestamp DESC, resource___service___name, id
) TO '@OUT@' (FORMAT parquet, PARTITION_BY (project_id, date), COMPRESSION zstd, COMPRESSION_LEVEL 3)
