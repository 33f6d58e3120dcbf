-- The archive and the dead letters. The functions say what they lock.

-- The log by its primary key, and the attempts by theirs, for those that are told.
-- name: archive_list
select d.id, d.queue_id, l.payload, l.enqueued_at, coalesce(l.producer_worker_id, 0), d.lease, d.vt, d.read_ct,
       d.dequeued_at, coalesce(d.consumer_worker_id, 0), d.outcome, d.archived_at,
       coalesce((select a.error from {schema}.pgqrs_attempts a
                 where a.queue_id = d.queue_id and a.message_id = d.id and a.error is not null
                 order by a.ended_at desc limit 1), '')
from {schema}.pgqrs_archive_page($1, $2, $3, $4, $5, $6, $7, $8) d
join lateral (
    select l.payload, l.enqueued_at, l.producer_worker_id from {schema}.pgqrs_log l
    where l.id = d.id and l.queue_id = d.queue_id
    offset 0
) l on true
order by d.archived_at desc, d.id desc

-- Reads the sets that it counts.
-- name: archive_count
select coalesce(sum(d.n), 0)::bigint
from {schema}.pgqrs_done d
where ($1::bigint is null or d.queue_id = $1) and d.outcome = any ($2::text[])
  and ($3::bigint is null or d.consumer_worker_id = $3)
  and d.archived_at >= coalesce($4::timestamptz, '-infinity') and d.archived_at < coalesce($5::timestamptz, 'infinity')

-- name: archive_replay
select {schema}.pgqrs_replay($1, $2, $3)

-- name: archive_delete
select {schema}.pgqrs_delete_done($1, $2)

-- name: archive_purge_bound
select coalesce($2::timestamptz, clock_timestamp()) - $1::interval

-- A bounded piece; all where there is no moment.
-- name: archive_purge
select {schema}.pgqrs_purge_done($1, coalesce($2::timestamptz, 'infinity'))

-- name: archive_expire
select {schema}.pgqrs_expire_done(at => $1)
