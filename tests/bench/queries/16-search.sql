-- the newest 100 rows of a week with a word anywhere in name or attributes, one tenant
SELECT timestamp, id, name, resource___service___name, attributes
FROM @T@
WHERE project_id = 'p1' AND timestamp >= '2026-11-16T00:00:00Z' AND timestamp < '2026-11-23T00:00:00Z'
  AND (name LIKE '%timeout%' OR CAST(attributes AS text) LIKE '%timeout%')
ORDER BY timestamp DESC, id LIMIT 100
