-- Metrics: what can be counted without reading messages.

-- Adds up to `most` rows of the tally to pgqrs_totals and pgqrs_rates, deletes them,
-- and says how many; 0 also where somebody else does so just then. One at a time: by
-- an advisory lock that nobody waits for but who deletes a queue.
create function {schema}.pgqrs_fold(most integer default 20000)
returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set max_parallel_workers_per_gather = 0
as $body$
declare
    folded integer;
begin
    if not pg_try_advisory_xact_lock(hashtextextended($name${schema}.pgqrs_tally$name$, 0)) then
        return 0;
    end if;
    with taken as (
        delete from {schema}.pgqrs_tally t
        where t.ctid = any (array(select k.ctid from {schema}.pgqrs_tally k limit most))
        returning t.*
    ), summed as materialized (
        select t.queue_id, date_bin('10 s', t.at, 'epoch') as at, count(*) as n,
               sum(t.produced) as produced, sum(t.acked) as acked, sum(t.archived) as archived, sum(t.dead) as dead
        from taken t
        group by 1, 2
    ), in_total as (
        insert into {schema}.pgqrs_totals as o (queue_id, produced, acked, archived, dead)
        select s.queue_id, sum(s.produced), sum(s.acked), sum(s.archived), sum(s.dead) from summed s group by s.queue_id
        on conflict (queue_id) do update
        set produced = o.produced + excluded.produced, acked = o.acked + excluded.acked,
            archived = o.archived + excluded.archived, dead = o.dead + excluded.dead
    ), in_time as (
        insert into {schema}.pgqrs_rates as o (queue_id, at, produced, acked)
        select s.queue_id, s.at, s.produced, s.acked from summed s where s.produced > 0 or s.acked > 0
        on conflict (queue_id, at) do update
        set produced = o.produced + excluded.produced, acked = o.acked + excluded.acked
    )
    select coalesce(sum(s.n), 0) into folded from summed s;
    if folded > 0 then
        delete from {schema}.pgqrs_rates r where r.at < clock_timestamp() - interval '10 minutes';
    end if;
    return folded;
end
$body$;

-- Counts the live messages of a queue by their sets. A function of its own because of
-- its setting: compiling the plan of the view took 200 ms where counting took 20.
create function {schema}.pgqrs_live(
    queue bigint, now timestamptz, out ready bigint, out delayed bigint, out leased bigint, out oldest timestamptz)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set jit = off
set max_parallel_workers_per_gather = 0
as $body$
begin
    select coalesce(sum(p.n) filter (where p.vt <= now), 0),
           coalesce(sum(p.n) filter (where p.vt > now and p.lease = 0), 0),
           coalesce(sum(p.n) filter (where p.vt > now and p.lease <> 0), 0),
           min(p.vt) filter (where p.vt <= now)
    into ready, delayed, leased, oldest
    from {schema}.pgqrs_spans p
    where p.queue_id = queue;
end
$body$;

-- One row for each queue. Reads the sets of live messages, not the messages, and the
-- counters. Ages are in seconds; rates are messages a second, in the last minute (from
-- the sixth last multiple of ten seconds on).
create view {schema}.pgqrs_metrics as
with clock as materialized (
    select c.now, date_bin('10 s', c.now, 'epoch') - interval '50 s' as since from clock_timestamp() c(now)
), tail as materialized (
    select t.queue_id, sum(t.produced) as produced, sum(t.acked) as acked, sum(t.archived) as archived, sum(t.dead) as dead,
           coalesce(sum(t.produced) filter (where t.at >= c.since), 0) as produced_lately,
           coalesce(sum(t.acked) filter (where t.at >= c.since), 0) as acked_lately
    from {schema}.pgqrs_tally t cross join clock c
    group by t.queue_id
)
select q.id as queue_id, q.queue_name, q.paused_at,
       s.ready + s.delayed + s.leased as depth, s.ready, s.delayed, s.leased,
       (coalesce(o.archived, 0) + coalesce(t.archived, 0))::bigint as archived,
       (coalesce(o.dead, 0) + coalesce(t.dead, 0))::bigint as dead,
       (coalesce(o.produced, 0) + coalesce(t.produced, 0))::bigint as produced,
       (coalesce(o.acked, 0) + coalesce(t.acked, 0))::bigint as acked,
       extract(epoch from c.now - s.oldest)::float8 as oldest_ready_age,
       ((r.produced + coalesce(t.produced_lately, 0)) / extract(epoch from c.now - c.since))::float8 as produce_rate,
       ((r.acked + coalesce(t.acked_lately, 0)) / extract(epoch from c.now - c.since))::float8 as ack_rate
from clock c
cross join {schema}.pgqrs_queues q
cross join lateral {schema}.pgqrs_live(q.id, c.now) s
left join {schema}.pgqrs_totals o on o.queue_id = q.id
left join tail t on t.queue_id = q.id
cross join lateral (
    select coalesce(sum(b.produced), 0) as produced, coalesce(sum(b.acked), 0) as acked
    from {schema}.pgqrs_rates b
    where b.queue_id = q.id and b.at >= c.since
) r;

update {schema}.pgqrs_schema set version = 7, compatible_from = 7, upgraded_at = now();
