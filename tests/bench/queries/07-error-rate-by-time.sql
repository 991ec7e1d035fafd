-- share of failed spans per 5 minutes of a day, one tenant
SELECT time_bucket(interval '5 minutes', timestamp) AS bucket,
       CAST(sum(CASE WHEN status_code = 'ERROR' THEN 1 ELSE 0 END) AS double precision) / count(*) AS rate
FROM @T@
WHERE project_id = 'p1' AND timestamp >= '2026-11-17T00:00:00Z' AND timestamp < '2026-11-18T00:00:00Z'
GROUP BY 1 ORDER BY 1
