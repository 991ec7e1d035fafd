-- one row that says whether two tables hold the same rows: counts, sums, lengths in characters, extremes
SELECT count(*) AS n, count(DISTINCT id) AS ids, min(id) AS id_min, max(id) AS id_max,
       min(timestamp) AS first_seen, max(timestamp) AS last_seen, min(start_time) AS start_min, max(start_time) AS start_max,
       min(end_time) AS end_min, max(end_time) AS end_max, count(end_time) AS ends, min(date) AS day_min, max(date) AS day_max,
       count(parent_id) AS parents, min(parent_id) AS parent_min, max(parent_id) AS parent_max,
       sum(length(name)) AS names, min(name) AS name_min, max(name) AS name_max, sum(length(kind)) AS kinds,
       count(status_code) AS statuses, sum(length(status_code)) AS status_len, sum(length(level)) AS levels,
       count(duration) AS durations, sum(duration) AS total, min(duration) AS shortest, max(duration) AS longest,
       count(DISTINCT context___trace_id) AS traces, min(context___span_id) AS span_min, max(context___span_id) AS span_max,
       count(attributes) AS attrs,
       sum(length(attributes___http___request___method)) AS methods,
       count(attributes___http___response___status_code) AS codes, sum(attributes___http___response___status_code) AS code_sum,
       count(attributes___url___path) AS paths, sum(length(attributes___url___path)) AS path_len,
       count(DISTINCT attributes___user___id) AS users, sum(length(attributes___user___id)) AS user_len,
       count(DISTINCT attributes___session___id) AS sessions, sum(length(attributes___db___system___name)) AS systems,
       sum(length(resource___service___name)) AS services, count(DISTINCT resource___service___version) AS versions,
       count(DISTINCT project_id) AS tenants, count(summary) AS summaries, sum(message_size_bytes) AS bytes
FROM @T@
