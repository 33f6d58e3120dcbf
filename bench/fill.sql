-- Deep backlogs, made in the server because a library takes too long: each query
-- takes how many messages. They are what `produce_batch` would have stored, or, in
-- singles, as many calls of `produce`.

-- name: pgqrs
select count(pgqrs_enqueue(q.id, (
    select array_agg(format('{"task":"send_email","to":"user@example.com","subject":"Hello","n":%%s}', 100000000000 + i)::json)
    from generate_series(f, least(f + 9999, %(n)s - 1)) i)))
from generate_series(0, %(n)s - 1, 10000) f, pgqrs_queues q
where q.queue_name = 'bench'

-- name: singles
select count(pgqrs_enqueue(q.id, array[
    format('{"task":"send_email","to":"user@example.com","subject":"Hello","n":%%s}', 100000000000 + i)::json]))
from generate_series(0, %(n)s - 1) i, pgqrs_queues q
where q.queue_name = 'bench'

-- name: rows
insert into row_messages (queue_id, vt, enqueued_at, payload)
select 1, clock_timestamp(), clock_timestamp(),
    format('{"task":"send_email","to":"user@example.com","subject":"Hello","n":%%s}', 100000000000 + i)::json
from generate_series(0, %(n)s - 1) i
