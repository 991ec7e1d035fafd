-- first and last moment
SELECT min(timestamp) AS first_seen, max(timestamp) AS last_seen FROM @T@
