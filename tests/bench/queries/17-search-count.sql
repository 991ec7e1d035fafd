-- how many rows of the whole table have a word in their attributes
SELECT count(*) AS n
FROM @T@
WHERE CAST(attributes AS text) LIKE '%deadline%timeout%'
