-- the ten most frequent URL paths of a week with their worst status, one tenant
SELECT attributes___url___path AS path, count(*) AS n, max(attributes___http___response___status_code) AS worst
FROM @T@
WHERE project_id = 'p1' AND timestamp >= '2026-11-16T00:00:00Z' AND timestamp < '2026-11-23T00:00:00Z' AND attributes___url___path IS NOT NULL
GROUP BY 1 ORDER BY n DESC, path LIMIT 10
