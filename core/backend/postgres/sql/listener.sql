-- Wake-ups. A consumer commits that it sleeps, dequeues once more, and then
-- waits; a producer looks here after its commit. So none is missed.

-- LISTEN takes no parameter; the channel has letters, digits and _ only.
-- name: listener_open
listen {channel}

-- Locks the rows in the order of their key, as queue_notify does.
-- name: listener_sleep
insert into {schema}.pgqrs_waiting as w (queue_id, asleep, until)
select q, true, clock_timestamp() + $2::interval from unnest($1::bigint[]) q group by q order by q
on conflict (queue_id) do update set asleep = true, until = greatest(w.until, excluded.until)

-- name: listener_test
select pg_notify($1, $2)

-- Wakes each queue once: whoever sleeps again says so again. Writes nothing
-- when nobody sleeps; sends only for queues that had sleepers, since sending
-- takes a lock at commit that all who send share.
-- name: queue_notify
with sleeping as (
    select w.queue_id from {schema}.pgqrs_waiting w
    where w.queue_id = any ($2::bigint[]) and w.asleep and w.until > clock_timestamp()
    order by w.queue_id
    for update
), woken as (
    update {schema}.pgqrs_waiting w set asleep = false from sleeping s
    where w.queue_id = s.queue_id
    returning w.queue_id
)
select pg_notify($1, woken.queue_id::text) from woken
