-- the ten busiest sessions of the whole table
SELECT attributes___session___id AS session, count(*) AS n
FROM @T@
WHERE attributes___session___id IS NOT NULL
GROUP BY 1 ORDER BY n DESC, session LIMIT 10
