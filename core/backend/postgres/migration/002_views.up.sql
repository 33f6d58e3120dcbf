-- The messages as users see them.
--
-- Both views are joined in both directions by an index: from a message to its set
-- by lo in (id - 4096, id], which holds because a set spans fewer than 4096 ids,
-- and from a set to its messages by id between lo and hi.
--
-- queue_id = any (array[queue_id]) is queue_id = queue_id for every index, but
-- not for a hash or merge join: on tables that were never analysed the planner
-- joined whole queues by it, for one message (5 minutes instead of 0.1 ms, with
-- 100,000 messages in 50,000 sets).

-- Every message that is neither archived nor dead.
create view {schema}.pgqrs_messages as
select l.id, s.queue_id, l.payload::jsonb as payload, l.enqueued_at, s.vt, s.read_ct,
       s.dequeued_at, l.producer_worker_id, s.consumer_worker_id
from {schema}.pgqrs_log l
join {schema}.pgqrs_spans s
    on s.queue_id = any (array[l.queue_id]) and l.queue_id = any (array[s.queue_id])
   and s.lo > l.id - 4096 and s.lo <= l.id and s.hi >= l.id
   and s.ids @> l.id;

-- Every message that was archived, or is dead (outcome).
create view {schema}.pgqrs_archive as
select l.id, d.queue_id, l.payload::jsonb as payload, l.enqueued_at, d.vt, d.read_ct,
       d.dequeued_at, l.producer_worker_id, d.consumer_worker_id, d.archived_at, d.outcome
from {schema}.pgqrs_log l
join {schema}.pgqrs_done d
    on d.queue_id = any (array[l.queue_id]) and l.queue_id = any (array[d.queue_id])
   and d.lo > l.id - 4096 and d.lo <= l.id and d.hi >= l.id
   and d.ids @> l.id;

update {schema}.pgqrs_schema set version = 2, compatible_from = 2, upgraded_at = now();
