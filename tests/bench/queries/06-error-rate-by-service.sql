-- share of failed spans per service over a week, one tenant
SELECT resource___service___name AS service,
       CAST(count(*) FILTER (WHERE status_code = 'ERROR') AS double precision) / count(*) AS rate, count(*) AS n
FROM @T@
WHERE project_id = 'p1' AND timestamp >= '2026-11-16T00:00:00Z' AND timestamp < '2026-11-23T00:00:00Z' AND kind <> 'LOG'
GROUP BY 1 ORDER BY 1
