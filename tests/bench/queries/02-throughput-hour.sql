-- spans per minute of an hour, one tenant
SELECT time_bucket(interval '1 minute', timestamp) AS bucket, count(*) AS n
FROM @T@
WHERE project_id = 'p1' AND timestamp >= '2026-11-17T12:00:00Z' AND timestamp < '2026-11-17T13:00:00Z'
GROUP BY 1 ORDER BY 1
