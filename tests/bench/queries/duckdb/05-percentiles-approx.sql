SELECT resource___service___name AS service,
       approx_quantile(duration, 0.5) AS p50,
       approx_quantile(duration, 0.95) AS p95,
       approx_quantile(duration, 0.99) AS p99
FROM @T@
WHERE timestamp >= '2026-11-16T00:00:00Z' AND timestamp < '2026-11-23T00:00:00Z' AND duration IS NOT NULL
GROUP BY 1 ORDER BY 1
