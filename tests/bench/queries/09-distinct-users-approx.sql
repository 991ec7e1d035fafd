-- roughly how many distinct users per service in the whole table
-- tolerance 0.35
-- (DuckDB's estimate has been seen 19% off the exact count; ours stays within 2%, which the SQL tests hold)
SELECT resource___service___name AS service, approx_count_distinct(attributes___user___id) AS users
FROM @T@
GROUP BY 1 ORDER BY 1
