-- distinct users of a week, one tenant
SELECT count(DISTINCT attributes___user___id) AS users
FROM @T@
WHERE project_id = 'p1' AND timestamp >= '2026-11-16T00:00:00Z' AND timestamp < '2026-11-23T00:00:00Z'
