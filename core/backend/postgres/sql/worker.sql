-- Workers.

-- The id is drawn first, since a worker without a name is called after it. No
-- row: there is no such queue. Locks its row, so that it is not deleted meanwhile.
-- name: worker_register
insert into {schema}.pgqrs_workers as w (id, name, queue_id, hostname, port, status, started_at, heartbeat_at)
overriding system value
select w.id, coalesce(nullif($1::text, ''), $3::text || '-' || w.id), q.id, $3::text, $4::integer, $5::text, w.now, w.now
from {schema}.pgqrs_queues q, (
    select nextval($name${schema}.pgqrs_workers_id_seq$name$) as id, coalesce($6::timestamptz, clock_timestamp()) as now
) w
where q.id = $2
for key share of q
returning w.id, w.name, w.queue_id, w.hostname, w.port, w.status, w.started_at, w.heartbeat_at, interval '0', w.shutdown_at

-- Locks the rows by id, so that two that name the same rows do not wait for each
-- other, and looks at the state once more behind the lock.
-- name: worker_move
with now as (
    select coalesce($4::timestamptz, clock_timestamp()) as at
), locked as materialized (
    select k.id from {schema}.pgqrs_workers k
    where k.id = any ($1::bigint[]) and k.status = any ($2::text[])
    order by k.id for no key update
)
update {schema}.pgqrs_workers w
set status = $3::text, shutdown_at = case when $3::text = 'stopped' then now.at end
from locked, now
where w.id = locked.id
returning w.id, w.name, w.queue_id, w.hostname, w.port, w.status, w.started_at, w.heartbeat_at, now.at - w.heartbeat_at, w.shutdown_at

-- Locks the rows by id. By the primary key; the update is HOT. What has stopped is
-- only read.
-- name: worker_beat
with now as (
    select coalesce($2::timestamptz, clock_timestamp()) as at
), locked as materialized (
    select k.id from {schema}.pgqrs_workers k
    where k.id = any ($1::bigint[]) and k.shutdown_at is null
    order by k.id for no key update
), beaten as (
    update {schema}.pgqrs_workers w
    set heartbeat_at = greatest(w.heartbeat_at, now.at)
    from locked, now
    where w.id = locked.id
    returning w.id, w.name, w.queue_id, w.hostname, w.port, w.status, w.started_at, w.heartbeat_at, interval '0', w.shutdown_at
)
select * from beaten
union all
select w.id, w.name, w.queue_id, w.hostname, w.port, w.status, w.started_at, w.heartbeat_at, now.at - w.heartbeat_at, w.shutdown_at
from {schema}.pgqrs_workers w, now
where w.id = any ($1::bigint[]) and w.shutdown_at is not null

-- By the primary key.
-- name: worker_get
select w.id, w.name, w.queue_id, w.hostname, w.port, w.status, w.started_at, w.heartbeat_at,
       coalesce($2::timestamptz, clock_timestamp()) - w.heartbeat_at, w.shutdown_at
from {schema}.pgqrs_workers w where w.id = $1

-- Backwards along the primary key, or along the index of a queue's workers.
-- name: worker_list
select w.id, w.name, w.queue_id, w.hostname, w.port, w.status, w.started_at, w.heartbeat_at,
       coalesce($5::timestamptz, clock_timestamp()) - w.heartbeat_at, w.shutdown_at
from {schema}.pgqrs_workers w
where w.id < $1 and ($2::bigint is null or w.queue_id = $2) and ($3::text is null or w.status = $3)
order by w.id desc limit $4

-- Reads all workers, or those of a queue.
-- name: worker_health
select case when $2::boolean then w.queue_id else 0 end as queue, count(*),
       count(*) filter (where w.status = 'ready'), count(*) filter (where w.status = 'polling'),
       count(*) filter (where w.status = 'suspended'), count(*) filter (where w.status = 'interrupted'),
       count(*) filter (where w.status = 'stopped'),
       count(*) filter (where w.shutdown_at is null and w.heartbeat_at < coalesce($4::timestamptz, clock_timestamp()) - $3::interval)
from {schema}.pgqrs_workers w
where $1::bigint is null or w.queue_id = $1
group by queue order by queue

-- Locks the rows that it deletes, a bounded number, and passes over those that others
-- have locked. Those that stopped are found by their index; for the others the table
-- is read.
-- name: worker_purge
with now as (
    select coalesce($4::timestamptz, clock_timestamp()) as at
), stopped as materialized (
    select w.id from {schema}.pgqrs_workers w
    where w.shutdown_at < (select now.at from now) - $1::interval
    order by w.shutdown_at limit $3 for update skip locked
), silent as materialized (
    select w.id from {schema}.pgqrs_workers w
    where w.shutdown_at is null and w.heartbeat_at < (select now.at from now) - $2::interval
    order by w.id limit $3 for update skip locked
)
delete from {schema}.pgqrs_workers w
where w.id = any (array(select s.id from stopped s union all select s.id from silent s))

-- Reads the leased sets of a queue, from one lease on, by the primary key.
-- name: worker_held
select s.lease, m.id
from {schema}.pgqrs_spans s, unnest(s.ids) r, lateral generate_series(lower(r), upper(r) - 1) m(id)
where s.queue_id = $1 and s.lease >= $4 and s.lease > 0 and (s.lease, m.id) > ($4, $5)
  and s.consumer_worker_id = any (
      select $2::bigint where $2 is not null
      union all
      select w.id from {schema}.pgqrs_workers w
      where $2::bigint is null and w.queue_id = $1 and w.shutdown_at is null
        and w.heartbeat_at < coalesce($7::timestamptz, clock_timestamp()) - $3::interval)
order by s.lease, m.id limit $6

-- Reads the leased sets, queue by queue, by the primary key; no message.
-- name: worker_leases
select s.consumer_worker_id, q.id, sum(s.n)::bigint, max(now.at - s.dequeued_at)
from (select coalesce($2::timestamptz, clock_timestamp()) as at) now
cross join {schema}.pgqrs_queues q
cross join lateral (
    select s.consumer_worker_id, s.n, s.vt, s.dequeued_at from {schema}.pgqrs_spans s
    where s.queue_id = q.id and s.lease > 0
    offset 0
) s
where ($1::bigint is null or q.id = $1) and s.vt > now.at and s.consumer_worker_id > 0
group by s.consumer_worker_id, q.id
order by s.consumer_worker_id, q.id
