-- approximate p50, p95 and p99 of the duration per service and week, all tenants
-- tolerance 0.1
SELECT resource___service___name AS service,
       approx_percentile(0.5, percentile_agg(duration)) AS p50,
       approx_percentile(0.95, percentile_agg(duration)) AS p95,
       approx_percentile(0.99, percentile_agg(duration)) AS p99
FROM @T@
WHERE timestamp >= '2026-11-16T00:00:00Z' AND timestamp < '2026-11-23T00:00:00Z' AND duration IS NOT NULL
GROUP BY 1 ORDER BY 1
