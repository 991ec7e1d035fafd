-- one row by its id, at any time, all columns
SELECT date, timestamp, id, parent_id, name, kind, status_code, level, duration, start_time, end_time, context___trace_id,
       context___span_id, attributes, attributes___http___request___method, attributes___http___response___status_code,
       attributes___url___path, attributes___user___id, attributes___session___id, attributes___db___system___name,
       resource___service___name, resource___service___version, project_id, summary, message_size_bytes
FROM @T@
WHERE id = '@ID@'
