-- services by total duration in a week, all tenants
SELECT resource___service___name AS service, sum(duration) AS total, count(*) AS n
FROM @T@
WHERE timestamp >= '2026-11-16T00:00:00Z' AND timestamp < '2026-11-23T00:00:00Z'
GROUP BY 1 ORDER BY total DESC, service LIMIT 10
