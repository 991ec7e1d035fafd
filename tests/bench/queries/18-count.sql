-- how many rows there are
SELECT count(*) AS n FROM @T@
