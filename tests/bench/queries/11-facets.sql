-- counts by service, kind and status over the whole table
SELECT resource___service___name AS service, kind, status_code, count(*) AS n
FROM @T@
GROUP BY 1, 2, 3 ORDER BY n DESC, service, kind, status_code LIMIT 50
