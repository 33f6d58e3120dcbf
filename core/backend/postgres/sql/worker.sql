-- Workers.

-- The id is drawn first, since a worker without a name is called after it. No
-- row: there is no such queue. Locks its row, so that it is not deleted meanwhile.
-- name: worker_register
insert into {schema}.pgqrs_workers (id, name, queue_id, hostname, port, started_at, heartbeat_at)
overriding system value
select w.id, coalesce(nullif($1::text, ''), $3::text || '-' || w.id), q.id, $3::text, $4::integer, w.now, w.now
from {schema}.pgqrs_queues q, (
    select nextval($name${schema}.pgqrs_workers_id_seq$name$) as id, coalesce($5::timestamptz, clock_timestamp()) as now
) w
where q.id = $2
for key share of q
returning id, name, queue_id, hostname, port, status, started_at, heartbeat_at

-- A second stop keeps the time of the first. No row: there is no such worker.
-- name: worker_stop
update {schema}.pgqrs_workers
set status = 'stopped', shutdown_at = coalesce(shutdown_at, $2::timestamptz, clock_timestamp())
where id = $1
