-- The archive and the dead letters: a look into them, and what is taken out again.

-- At most `most` messages that were archived, or are dead, behind a place (after_at,
-- after_id), the latest first: of one queue (null: of all), of those outcomes, last
-- leased to that worker (null: to any), done with from `since` on and before `upto`.
-- Walks pgqrs_done_time for each queue and outcome, no further than it must; with a
-- worker, along all that it passes over. What is done with in one microsecond comes
-- together, by falling ids.
create function {schema}.pgqrs_archive_page(
    queue bigint, outcomes text[], worker bigint, since timestamptz, upto timestamptz,
    after_at timestamptz, after_id bigint, most integer)
returns table (
    id bigint, queue_id bigint, lease bigint, vt timestamptz, read_ct integer, dequeued_at timestamptz,
    consumer_worker_id bigint, outcome text, archived_at timestamptz)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set max_parallel_workers_per_gather = 0
set plan_cache_mode = force_generic_plan
as $body$
begin
    since := coalesce(since, '-infinity');
    upto := coalesce(upto, 'infinity');
    return query
        select i, d.queue_id, d.lease, d.vt, d.read_ct, d.dequeued_at, d.consumer_worker_id, d.outcome, d.archived_at
        from {schema}.pgqrs_queues q cross join unnest(outcomes) o(outcome) cross join lateral (
            (select e.* from {schema}.pgqrs_done e
             where e.queue_id = q.id and e.outcome = o.outcome collate "C" and e.archived_at = after_at
               and e.archived_at >= since and e.archived_at < upto
               and (worker is null or e.consumer_worker_id = worker))
            union all
            (select e.* from {schema}.pgqrs_done e
             where e.queue_id = q.id and e.outcome = o.outcome collate "C"
               and e.archived_at >= since and e.archived_at < least(upto, coalesce(after_at, 'infinity'))
               and (worker is null or e.consumer_worker_id = worker)
             order by e.archived_at desc
             fetch first most rows with ties)
        ) d cross join unnest(d.ids) r cross join generate_series(lower(r), upper(r) - 1) i
        where (queue is null or q.id = queue) and (d.archived_at < after_at or i < after_id or after_at is null)
        order by d.archived_at desc, i desc
        limit most;
end
$body$;

-- Takes messages out of the archive or the dead letters of a queue, and returns the sets
-- that were taken. One at a time for each queue, until the end of the transaction: a set
-- that another took messages from would be a row at another place. The sets that
-- pgqrs_purge_done deletes meanwhile are not found any more. The queue cannot be deleted.
create function {schema}.pgqrs_take_done(queue bigint, message_ids bigint[])
returns int8multirange[]
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
as $body$
declare
    done     record;
    taken    int8multirange[] := '{}';
    done_n   integer := 0; -- how many of them were archived
    dead_n   integer := 0;
begin
    perform pg_advisory_xact_lock_shared(-queue);
    perform pg_advisory_xact_lock(hashtextextended($name${schema}.pgqrs_done$name$, queue));
    for done in
        select d.place, d.outcome, d.n, d.ids, count(*)::integer as k, range_agg(int8range(w.id, w.id, '[]')) as part
        from (select distinct unnest(message_ids)) w(id), lateral (
            select d.ctid as place, d.outcome, d.n, d.ids from {schema}.pgqrs_done d
            where d.queue_id = queue and d.lo > w.id - 4096 and d.lo <= w.id and d.hi >= w.id and d.ids @> w.id
            offset 0
        ) d
        group by d.place, d.outcome, d.n, d.ids
    loop
        if done.k = done.n then
            delete from {schema}.pgqrs_done d where d.ctid = done.place;
        else
            update {schema}.pgqrs_done d set ids = done.ids - done.part, n = done.n - done.k where d.ctid = done.place;
        end if;
        continue when not found;
        taken := taken || done.part;
        if done.outcome = 'dead' then
            dead_n := dead_n + done.k;
        else
            done_n := done_n + done.k;
        end if;
    end loop;
    if taken <> '{}' then
        insert into {schema}.pgqrs_tally (queue_id, at, archived, dead)
        values (queue, clock_timestamp(), -done_n, -dead_n);
    end if;
    return taken;
end
$body$;

-- Makes messages that are archived or dead ready again, as if they had just been produced:
-- under their ids, with read_ct 0. Their attempts stay. Returns the ids of those that were
-- there.
create function {schema}.pgqrs_replay(queue bigint, message_ids bigint[], at timestamptz default null)
returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
declare
    due      timestamptz;
    replayed bigint[];
begin
    select array_agg(i order by i) into replayed
    from unnest({schema}.pgqrs_take_done(queue, message_ids)) t(ids), unnest(t.ids) r, generate_series(lower(r), upper(r) - 1) i;
    if replayed is null then
        return '{}';
    end if;
    due := coalesce(at, clock_timestamp());
    insert into {schema}.pgqrs_spans (queue_id, vt, since, n, lo, hi, ids)
    select queue, due, due, p.n, p.lo, p.hi, p.ids from {schema}.pgqrs_pack(replayed) p;
    return replayed;
end
$body$;

-- Deletes messages that are archived or dead, and returns how many that were.
create function {schema}.pgqrs_delete_done(queue bigint, message_ids bigint[])
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
declare
    gone int8multirange[] := {schema}.pgqrs_take_done(queue, message_ids);
begin
    perform {schema}.pgqrs_erase(queue, gone);
    return (select coalesce(sum(upper(r) - lower(r)), 0) from unnest(gone) t(ids), unnest(t.ids) r);
end
$body$;

-- Deletes what queues have kept for as long as their retention says: a piece of it, of at
-- most `most` sets of each queue, and says how many messages that were; 0 also where
-- somebody else does so just then. Waits for nobody.
create function {schema}.pgqrs_expire_done(most integer default 100, at timestamptz default null)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
declare
    started timestamptz := coalesce(at, clock_timestamp());
    removed bigint := 0;
    kept    record;
begin
    if not pg_try_advisory_xact_lock(hashtextextended($name${schema}.pgqrs_expire_done$name$, 0)) then
        return 0;
    end if;
    for kept in
        select q.id, q.retention from {schema}.pgqrs_queues q where q.retention is not null order by random()
    loop
        continue when not pg_try_advisory_xact_lock_shared(-kept.id); -- it is being deleted
        removed := removed + {schema}.pgqrs_purge_done(kept.id, started - kept.retention, most);
        exit when removed >= 10000;
    end loop;
    return removed;
end
$body$;

update {schema}.pgqrs_schema set version = 8, compatible_from = 8, upgraded_at = now();
