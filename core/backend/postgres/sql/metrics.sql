-- Metrics. The view says what they read.

-- name: metrics_get
select queue_id, queue_name, paused_at, depth, ready, delayed, leased, archived, dead, produced, acked,
       oldest_ready_age, produce_rate, ack_rate
from {schema}.pgqrs_metrics where queue_name = $1

-- The page is chosen first, so that no other queue is measured.
-- name: metrics_list
select queue_id, queue_name, paused_at, depth, ready, delayed, leased, archived, dead, produced, acked,
       oldest_ready_age, produce_rate, ack_rate
from {schema}.pgqrs_metrics
where queue_name in (select q.queue_name from {schema}.pgqrs_queues q where q.queue_name > $1 order by q.queue_name limit $2)
order by queue_name

-- name: metrics_system
select count(m.queue_id), count(m.paused_at), w.all_workers, w.active,
       coalesce(sum(m.depth), 0)::bigint, coalesce(sum(m.ready), 0)::bigint, coalesce(sum(m.delayed), 0)::bigint, coalesce(sum(m.leased), 0)::bigint,
       coalesce(sum(m.archived), 0)::bigint, coalesce(sum(m.dead), 0)::bigint, coalesce(sum(m.produced), 0)::bigint, coalesce(sum(m.acked), 0)::bigint,
       coalesce(sum(m.produce_rate), 0), coalesce(sum(m.ack_rate), 0),
       pg_total_relation_size($name${schema}.pgqrs_log$name$), pg_total_relation_size($name${schema}.pgqrs_spans$name$),
       pg_total_relation_size($name${schema}.pgqrs_done$name$), (select s.version from {schema}.pgqrs_schema s)
from (select count(*) as all_workers, count(*) filter (where k.status <> 'stopped') as active from {schema}.pgqrs_workers k) w
left join {schema}.pgqrs_metrics m on true
group by w.all_workers, w.active

-- name: metrics_fold
select {schema}.pgqrs_fold()
