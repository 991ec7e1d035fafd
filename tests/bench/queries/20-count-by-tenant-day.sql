-- rows per tenant and day
SELECT project_id, date, count(*) AS n
FROM @T@
GROUP BY 1, 2 ORDER BY 1, 2
