-- many small Parquet files to few sorted ones: what tsf-compact --full does
COPY (
    SELECT * FROM @IN@
    ORDER BY project_id, date, timestamp DESC, resource___service___name, id
) TO '@OUT@' (FORMAT parquet, PARTITION_BY (project_id, date), COMPRESSION zstd, COMPRESSION_LEVEL @LEVEL@)
