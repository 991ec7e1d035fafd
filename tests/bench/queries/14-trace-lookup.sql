-- all rows of one trace, at any time
SELECT timestamp, context___span_id, parent_id, kind, name, resource___service___name, duration, status_code, attributes
FROM @T@
WHERE context___trace_id = '@TRACE@'
ORDER BY timestamp, context___span_id
