-- Messages. The functions say what they lock.

-- name: message_produce
select {schema}.pgqrs_enqueue($1, $2, $3, $4, $5)

-- name: message_produce_keyed
select {schema}.pgqrs_enqueue_keyed($1, $2, $3, $4, $5, $6, $7, $8)

-- In the caller's transaction, whose connection may speak the simple protocol: the
-- types that all parameters have in Go by themselves.
-- name: message_produce_tx
select {schema}.pgqrs_produce_tx($1::text::uuid, $2::text, $3::text[]::json[], $4::bigint, $5::bigint, $6::boolean)

-- name: message_produce_keyed_tx
select {schema}.pgqrs_produce_keyed_tx($1::text::uuid, $2::text, $3::text[]::json[], $4::text[], $5::bigint, $6::bigint, $7::bigint, $8::boolean)

-- A lease that a crash of the server forgets means redelivery, which at-least-once
-- allows: so this commit alone does not wait for the disk. That is said here and not in
-- the function, where it would make the commit of somebody's transaction weak too.
-- name: message_dequeue
select message_id, payload, enqueued_at, producer, delivered, new_lease, taken_at, until, dead, first_vt, due_us
from set_config('synchronous_commit', 'off', true), {schema}.pgqrs_dequeue($1, $2, $3, $4, $5, $6, $7, $8)

-- name: message_archive
select of_lease, from_id, to_id, before from {schema}.pgqrs_archive($1, $2, $3, $4, $5, $6)

-- name: message_delete
select of_lease, from_id, to_id from {schema}.pgqrs_delete($1, $2, $3, $4)

-- name: message_extend
select of_lease, from_id, to_id, new_vt from {schema}.pgqrs_extend_vt($1, $2, $3, $4, $5, $6, $7)

-- name: message_release
select of_lease, from_id, to_id from {schema}.pgqrs_release($1, $2, $3, $4, $5, $6, $7)

-- name: message_detach
select of_lease, from_id, to_id, new_lease from {schema}.pgqrs_detach($1, $2, $3, $4)

-- Locks those of the leases that nobody is settling, without waiting for the others.
-- name: message_free_leases
select l from unnest($1::bigint[]) l where pg_try_advisory_xact_lock(l)

-- name: message_archive_tx
select {schema}.pgqrs_archive_tx($1::text::uuid, $2::bigint, $3::bigint[], $4::bigint[])

-- name: message_delete_tx
select {schema}.pgqrs_delete_tx($1::text::uuid, $2::bigint, $3::bigint[], $4::bigint[])

-- One snapshot, three index walks: the log by id, and the sets that may hold it.
-- name: message_get
select l.id, l.queue_id, l.payload, l.enqueued_at, coalesce(l.producer_worker_id, 0),
       coalesce(s.lease, d.lease), coalesce(s.vt, d.vt), coalesce(s.read_ct, d.read_ct),
       coalesce(s.dequeued_at, d.dequeued_at), coalesce(s.consumer_worker_id, d.consumer_worker_id, 0),
       coalesce(d.outcome, case when s.vt <= clock_timestamp() then 'ready' when s.lease = 0 then 'delayed' else 'leased' end),
       d.archived_at
from {schema}.pgqrs_log l
left join lateral (
    select s.* from {schema}.pgqrs_spans s
    where s.queue_id = l.queue_id and s.lo > l.id - 4096 and s.lo <= l.id and s.hi >= l.id and s.ids @> l.id
    offset 0
) s on true
left join lateral (
    select d.* from {schema}.pgqrs_done d
    where d.queue_id = l.queue_id and d.lo > l.id - 4096 and d.lo <= l.id and d.hi >= l.id and d.ids @> l.id
    offset 0
) d on true
where l.id = $1 and (s.id is not null or d.id is not null)

-- The function says what it reads. It locks nothing.
-- name: message_list
select message_id, $1::bigint, payload, enqueued_at, producer, held_by, due, delivered, taken_at, consumer, fate, null::timestamptz
from {schema}.pgqrs_messages_page($1, $2, $3, $4, $5)

-- Reads the rows of the queue in both tables, and no message.
-- name: message_count
select coalesce(sum(n) filter (where state = 'ready'), 0)::bigint,
       coalesce(sum(n) filter (where state = 'delayed'), 0)::bigint,
       coalesce(sum(n) filter (where state = 'leased'), 0)::bigint,
       coalesce(sum(n) filter (where state = 'archived'), 0)::bigint,
       coalesce(sum(n) filter (where state = 'dead'), 0)::bigint
from (
    select n, case when vt <= coalesce($2::timestamptz, clock_timestamp()) then 'ready'
                   when lease = 0 then 'delayed' else 'leased' end as state
    from {schema}.pgqrs_spans where queue_id = $1
    union all
    select n, outcome from {schema}.pgqrs_done where queue_id = $1
) sets

-- name: message_fail
select of_lease, from_id, to_id, dies from {schema}.pgqrs_fail($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)

-- name: message_seize
select of_queue, state, done from {schema}.pgqrs_seize($1, $2, $3, $4)

-- By primary keys: the attempts that were not archived; the delivery that was, and the one
-- that is leased, from the sets.
-- name: message_history
select h.lease, h.attempt, coalesce(h.worker, 0), h.started_at, h.ended_at, h.outcome, coalesce(h.error, '')
from {schema}.pgqrs_log l cross join lateral (
    select a.lease, a.attempt, a.consumer_worker_id as worker, a.started_at, a.ended_at, a.outcome, a.error
    from {schema}.pgqrs_attempts a
    where a.queue_id = l.queue_id and a.message_id = l.id
    union all
    select d.lease, d.read_ct, d.consumer_worker_id, d.dequeued_at, d.archived_at, d.outcome, null
    from (
        select d.* from {schema}.pgqrs_done d
        where d.queue_id = l.queue_id and d.lo > l.id - 4096 and d.lo <= l.id and d.hi >= l.id and d.ids @> l.id
        offset 0
    ) d
    where d.outcome = 'archived'
    union all
    select s.lease, s.read_ct, s.consumer_worker_id, s.dequeued_at, null, 'leased', null
    from (
        select s.* from {schema}.pgqrs_spans s
        where s.queue_id = l.queue_id and s.lo > l.id - 4096 and s.lo <= l.id and s.hi >= l.id and s.ids @> l.id
        offset 0
    ) s
    where s.lease <> 0
) h
where l.id = $1
order by h.started_at, h.attempt

-- Those of the deliveries that ended so. By the primary key.
-- name: message_attempted
select a.lease, a.message_id
from unnest($2::bigint[], $3::bigint[]) u(lease, id)
join {schema}.pgqrs_attempts a on a.queue_id = $1 and a.message_id = u.id and a.lease = u.lease
where a.outcome = $4::text

-- Those of the deliveries whose message is gone. By the primary key of the log.
-- name: message_gone
select u.lease, u.id
from unnest($2::bigint[], $3::bigint[]) u(lease, id)
where not exists (select from {schema}.pgqrs_log l where l.id = u.id and l.queue_id = $1)
