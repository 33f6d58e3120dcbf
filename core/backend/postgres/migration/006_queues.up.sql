-- Deleting a queue.

-- Deletes up to `most` sets of messages of a queue that were archived, or became dead,
-- up to a moment, and returns how many messages that were. Passes over the sets that
-- another session works on. The queue cannot be deleted meanwhile: so no set comes back
-- behind its back, when this is rolled back.
create function {schema}.pgqrs_purge_done(queue bigint, upto timestamptz default 'infinity', most integer default 1000)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $body$
declare
    removed  bigint;
    archived integer;
    gone     int8multirange[];
begin
    perform pg_advisory_xact_lock_shared(-queue);
    with locked as materialized (
        select d.ctid as place from {schema}.pgqrs_done d
        where d.queue_id = queue and d.outcome = any ('{archived,dead}') and d.archived_at <= upto
        limit most
        for update skip locked
    ), taken as (
        delete from {schema}.pgqrs_done d where d.ctid = any (array(select k.place from locked k))
        returning d.n, d.outcome, d.ids
    )
    select coalesce(sum(t.n), 0), coalesce(sum(t.n) filter (where t.outcome = 'archived'), 0), array_agg(t.ids)
    into removed, archived, gone from taken t;
    if removed > 0 then
        perform {schema}.pgqrs_erase(queue, gone);
        insert into {schema}.pgqrs_tally (queue_id, at, archived, dead)
        values (queue, clock_timestamp(), -archived, archived - removed);
    end if;
    return removed;
end
$body$;

-- Deletes a queue with its messages and its workers, and says whether there was one.
-- Without force only where no message is left of it, live, archived or dead: else
-- SQLSTATE PQ003, and nothing is done.
--
-- Waits for the transactions that have produced into the queue, and keeps others from
-- doing so (pgqrs_enqueue). Then nothing new comes into the queue; what others are
-- about to settle, pgqrs_purge waits for. So nothing is left behind. To be called in
-- READ COMMITTED; the library empties a large queue before, in small pieces.
create function {schema}.pgqrs_queue_delete(name text, force boolean default false)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
as $body$
declare
    target bigint;
    upto   bigint;
begin
    select q.id into target from {schema}.pgqrs_queues q where q.queue_name = name;
    if not found then
        return false;
    end if;
    perform pg_advisory_xact_lock(-target);
    -- Keeps workers from being registered (they lock it too); and somebody else may
    -- have deleted it meanwhile.
    perform from {schema}.pgqrs_queues q where q.id = target for update;
    if not found then
        return false;
    end if;
    if not force and (exists (select from {schema}.pgqrs_spans s where s.queue_id = target)
                      or exists (select from {schema}.pgqrs_done d where d.queue_id = target)) then
        raise exception 'the queue has messages' using errcode = 'PQ003';
    end if;
    select coalesce(max(l.id), 0) into upto from {schema}.pgqrs_log l;
    while {schema}.pgqrs_purge(target, upto) > 0 loop
    end loop;
    while {schema}.pgqrs_purge_done(target) > 0 loop
    end loop;
    -- Whoever folds has taken rows of the tally, and is about to make rows of them.
    perform pg_advisory_xact_lock(hashtextextended($name${schema}.pgqrs_tally$name$, 0));
    delete from {schema}.pgqrs_tally t where t.queue_id = target;
    delete from {schema}.pgqrs_totals t where t.queue_id = target;
    delete from {schema}.pgqrs_rates r where r.queue_id = target;
    delete from {schema}.pgqrs_attempts a where a.queue_id = target;
    delete from {schema}.pgqrs_dedup d where d.queue_id = target;
    delete from {schema}.pgqrs_workers w where w.queue_id = target;
    delete from {schema}.pgqrs_waiting w where w.queue_id = target;
    delete from {schema}.pgqrs_queues q where q.id = target;
    return true;
end
$body$;

update {schema}.pgqrs_schema set version = 6, compatible_from = 6, upgraded_at = now();
