-- spans per 5 minutes of a day and service, one tenant
SELECT time_bucket(interval '5 minutes', timestamp) AS bucket, resource___service___name AS service, count(*) AS n
FROM @T@
WHERE project_id = 'p1' AND timestamp >= '2026-11-17T00:00:00Z' AND timestamp < '2026-11-18T00:00:00Z'
GROUP BY 1, 2 ORDER BY 1, 2
