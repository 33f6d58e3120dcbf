-- Keys that at most one message has. The functions say what they lock.

-- name: dedup_sweep
select seen, swept, after_queue, after_key from {schema}.pgqrs_dedup_sweep($1, $2, at => $3)

-- name: dedup_purge
select {schema}.pgqrs_dedup_purge($1)
