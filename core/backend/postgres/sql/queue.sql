-- Queues.

-- By the unique index of names.
-- name: queue_get
select id, queue_name, created_at from {schema}.pgqrs_queues where queue_name = $1

-- By the unique index of names, from one of them on.
-- name: queue_list
select id, queue_name, created_at from {schema}.pgqrs_queues where queue_name > $1 order by queue_name limit $2

-- name: queue_count
select count(*) from {schema}.pgqrs_queues

-- Waits for another transaction that makes the same name. No row: it exists.
-- name: queue_create
insert into {schema}.pgqrs_queues (queue_name) values ($1)
on conflict (queue_name) do nothing
returning id, queue_name, created_at

-- The last id of the log, by its primary key.
-- name: queue_purge_bound
select coalesce(max(id), 0) from {schema}.pgqrs_log

-- Locks rows of pgqrs_spans by (lease, id), a bounded number of them.
-- name: queue_purge
select {schema}.pgqrs_purge($1, $2)
