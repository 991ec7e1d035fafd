-- exact p50, p95 and p99 of the duration per 5 minutes of a day, one tenant
SELECT time_bucket(interval '5 minutes', timestamp) AS bucket,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY duration) AS p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY duration) AS p95,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY duration) AS p99
FROM @T@
WHERE project_id = 'p1' AND timestamp >= '2026-11-17T00:00:00Z' AND timestamp < '2026-11-18T00:00:00Z' AND duration IS NOT NULL
GROUP BY 1 ORDER BY 1
