-- The archive and the dead letters. The functions say what they lock.

-- For each queue and outcome the latest sets along pgqrs_done_time, at most as many
-- messages as are asked for, and the log by its primary key only for those that are
-- told. Ties of one moment are sorted by id, by nothing else. With a worker, or with
-- times that hold few, sets are read that do not count.
-- name: archive_list
select d.id, d.queue_id, l.payload, l.enqueued_at, coalesce(l.producer_worker_id, 0), d.lease, d.vt, d.read_ct,
       d.dequeued_at, coalesce(d.consumer_worker_id, 0), d.outcome, d.archived_at,
       coalesce((select a.error from {schema}.pgqrs_attempts a
                 where a.queue_id = d.queue_id and a.message_id = d.id and a.error is not null
                 order by a.ended_at desc limit 1), '')
from (
    select x.* from {schema}.pgqrs_queues q cross join unnest($2::text[]) o(outcome) cross join lateral (
        select m.id, d.queue_id, d.lease, d.vt, d.read_ct, d.dequeued_at, d.consumer_worker_id, d.outcome, d.archived_at
        from {schema}.pgqrs_done d cross join unnest(d.ids) r cross join generate_series(lower(r), upper(r) - 1) m(id)
        where d.queue_id = q.id and d.outcome = o.outcome
          and d.archived_at >= coalesce($4::timestamptz, '-infinity') and d.archived_at < coalesce($5::timestamptz, 'infinity')
          and d.archived_at <= coalesce($6::timestamptz, 'infinity')
          and (d.archived_at, m.id) < (coalesce($6::timestamptz, 'infinity'), $7::bigint)
          and ($3::bigint is null or d.consumer_worker_id = $3)
        order by d.archived_at desc, m.id desc
        limit $8
    ) x
    where $1::bigint is null or q.id = $1
    order by x.archived_at desc, x.id desc
    limit $8
) d join lateral (
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
