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

-- A page of the live messages of a queue, by id: at most `most`, with ids above
-- `behind`, in that state (null: any). It may be shorter, and has at least one, where
-- the payloads come to 16 MiB as they are stored.
--
-- Sets lie between each other, but no set reaches farther than 4096 ids. So the page is
-- in the first sets that begin behind `behind` and have enough messages, in those that
-- begin before their last id, and in those that begin before `behind` and may reach
-- beyond it. All that by the lookup index, in one snapshot (stable).
create function {schema}.pgqrs_messages_page(
    queue bigint, in_state text, behind bigint, most integer, at timestamptz default null)
returns table (
    message_id bigint, payload json, enqueued_at timestamptz, producer bigint, held_by bigint, due timestamptz,
    delivered integer, taken_at timestamptz, consumer bigint, fate text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set plan_cache_mode = force_generic_plan
as $body$
declare
    moment constant timestamptz := coalesce(at, clock_timestamp());
    upto   bigint := behind;
    found  bigint := 0;
    span   record;
begin
    for span in
        select s.hi, s.n from {schema}.pgqrs_spans s
        where s.queue_id = queue and s.lo > behind
          and (in_state is null or in_state = case when s.vt <= moment then 'ready' when s.lease = 0 then 'delayed' else 'leased' end)
        order by s.lo, s.hi
    loop
        upto := greatest(upto, span.hi);
        found := found + span.n;
        exit when found >= most;
    end loop;
    return query
        with page as materialized (
            select i.id, s.lease, s.vt, s.read_ct, s.dequeued_at, s.consumer_worker_id,
                   case when s.vt <= moment then 'ready' when s.lease = 0 then 'delayed' else 'leased' end as state
            from {schema}.pgqrs_spans s, unnest(s.ids) r, generate_series(lower(r), upper(r) - 1) i(id)
            where s.queue_id = queue and s.lo > behind - 4096 and s.lo <= upto and s.hi > behind and i.id > behind
              and (in_state is null or in_state = case when s.vt <= moment then 'ready' when s.lease = 0 then 'delayed' else 'leased' end)
            order by i.id
            limit most
        )
        select m.id, m.payload, m.enqueued_at, coalesce(m.producer_worker_id, 0), m.lease, m.vt, m.read_ct, m.dequeued_at,
               coalesce(m.consumer_worker_id, 0), m.state
        from (
            select p.*, l.payload, l.enqueued_at, l.producer_worker_id,
                   sum(pg_column_size(l.payload)) over (order by p.id rows between unbounded preceding and 1 preceding) as bytes
            from page p, lateral (
                select k.* from {schema}.pgqrs_log k where k.id = p.id and k.queue_id = queue
                offset 0
            ) l
        ) m
        where coalesce(m.bytes, 0) < 16777216
        order by m.id;
end
$body$;

update {schema}.pgqrs_schema set version = 2, compatible_from = 2, upgraded_at = now();
