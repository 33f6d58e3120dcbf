-- Queues.

-- By the unique index of names.
-- name: queue_get
select id, queue_name, created_at, paused_at, default_vt, max_read_ct, retention, retry_kind, retry_base, retry_max, retry_jitter
from {schema}.pgqrs_queues where queue_name = $1

-- By the unique index of names, from one of them on.
-- name: queue_list
select id, queue_name, created_at, paused_at, default_vt, max_read_ct, retention, retry_kind, retry_base, retry_max, retry_jitter
from {schema}.pgqrs_queues where queue_name > $1 order by queue_name limit $2

-- name: queue_count
select count(*) from {schema}.pgqrs_queues

-- Waits for another transaction that makes the same name. No row: it exists.
-- name: queue_create
insert into {schema}.pgqrs_queues (queue_name, default_vt, max_read_ct, retention, retry_kind, retry_base, retry_max, retry_jitter)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (queue_name) do nothing
returning id, queue_name, created_at, paused_at, default_vt, max_read_ct, retention, retry_kind, retry_base, retry_max, retry_jitter

-- Each setting is one flag, whether it changes, and what to.
-- name: queue_update
update {schema}.pgqrs_queues
set default_vt   = case when $2 then $3::interval else default_vt end,
    max_read_ct  = case when $4 then $5::integer else max_read_ct end,
    retention    = case when $6 then $7::interval else retention end,
    retry_kind   = case when $8 then $9::text else retry_kind end,
    retry_base   = case when $8 then $10::interval else retry_base end,
    retry_max    = case when $8 then $11::interval else retry_max end,
    retry_jitter = case when $8 then $12::float8 else retry_jitter end
where queue_name = $1
returning id, queue_name, created_at, paused_at, default_vt, max_read_ct, retention, retry_kind, retry_base, retry_max, retry_jitter

-- name: queue_pause
update {schema}.pgqrs_queues set paused_at = coalesce(paused_at, $2::timestamptz, clock_timestamp()) where queue_name = $1
returning id, queue_name, created_at, paused_at, default_vt, max_read_ct, retention, retry_kind, retry_base, retry_max, retry_jitter

-- name: queue_resume
update {schema}.pgqrs_queues set paused_at = null where queue_name = $1
returning id, queue_name, created_at, paused_at, default_vt, max_read_ct, retention, retry_kind, retry_base, retry_max, retry_jitter

-- The function says what it locks. In a transaction of its own.
-- name: queue_delete
select {schema}.pgqrs_queue_delete($1, $2)

-- The last id of the log, by its primary key.
-- name: queue_purge_bound
select coalesce(max(id), 0) from {schema}.pgqrs_log

-- Locks rows of pgqrs_spans by (lease, id), a bounded number of them.
-- name: queue_purge
select {schema}.pgqrs_purge($1, $2)

-- The function says what it locks.
-- name: queue_merge
select saved, upto from {schema}.pgqrs_merge($1, coalesce($2::timestamptz, '-infinity'), $3, at => $4)
