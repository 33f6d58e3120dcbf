-- Settling deliveries: archive, delete, extend, release. And purge.
--
-- Deliveries arrive as triples in three parallel arrays: the messages los[i] to
-- his[i] of leases[i], and the answer is such triples: those that were held.
-- SQLSTATE PQ004: not in READ COMMITTED, where a statement sees what others
-- committed since the one before.

-- Takes the messages of these deliveries out of pgqrs_spans and returns what was
-- taken, one row per row of pgqrs_spans. What the callers do with them is the
-- difference between the four operations.
--
-- Locks: first the turns of all leases, ascending (an advisory lock of this transaction
-- each, so that operations on one lease take turns), then the rows, lease by lease, by
-- id, by the primary key. A row's values count as they are once it is locked; one that a
-- dequeue has leased anew meanwhile is passed over, and stays locked all the same. Nobody
-- waits in a circle: who waits for a turn holds no row yet. Behind the turns one waits
-- for a dequeue or a purge, which wait for nothing themselves, or for another who settles
-- and has passed over the row; his snapshot is older than the lease, and so than all who
-- can ask for it, and he waits only for somebody before him.
--
-- lo and hi are not asked for: where statistics were taken while nothing was leased, the
-- planner would take the lookup index for them, and walk the whole queue. A row that
-- we have locked is written by its ctid, which stays until then and needs no index.
create function {schema}.pgqrs_take(queue bigint, leases bigint[], los bigint[], his bigint[])
returns table (
    lease bigint, vt timestamptz, since timestamptz, read_ct integer, consumer_worker_id bigint,
    dequeued_at timestamptz, n integer, lo bigint, hi bigint, ids int8multirange)
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_sort = off
set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $body$
declare
    asked_leases bigint[];
    asked_ids    int8multirange[];
    asked        bigint; -- the lease whose turn it is
    todo         int8multirange;
    span         record;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'pgqrs settles deliveries in READ COMMITTED only' using errcode = 'PQ004';
    end if;
    -- 0 is what nobody holds.
    if cardinality(leases) = 1 and leases[1] > 0 then -- without a query
        asked_leases := leases;
        asked_ids := array[int8multirange(int8range(los[1], his[1], '[]'))];
    else
        select array_agg(a.lease order by a.lease), array_agg(a.ids order by a.lease) into asked_leases, asked_ids
        from (
            select u.lease, range_agg(int8range(u.lo, u.hi, '[]')) as ids
            from unnest(leases, los, his) u(lease, lo, hi)
            where u.lease > 0
            group by u.lease
        ) a;
    end if;
    -- Before the snapshots of the next statements: what an earlier operation on these
    -- leases did, they see.
    perform pg_advisory_xact_lock(unnest(asked_leases));
    for i in 1 .. coalesce(cardinality(asked_leases), 0) loop
        asked := asked_leases[i];
        todo := asked_ids[i];
        loop
            for span in
                select s.ctid as place, s.* from {schema}.pgqrs_spans s
                where s.queue_id = queue and s.lease = asked and s.ids && todo
                order by s.id
                for update
            loop
                ids := span.ids * todo;
                continue when isempty(ids);
                if ids = span.ids then
                    n := span.n;
                    delete from {schema}.pgqrs_spans s
                    where s.ctid = span.place;
                else
                    n := (select sum(upper(r) - lower(r)) from unnest(ids) r);
                    update {schema}.pgqrs_spans s set ids = span.ids - pgqrs_take.ids, n = span.n - pgqrs_take.n
                    where s.ctid = span.place;
                end if;
                lease := span.lease;
                vt := span.vt;
                since := span.since;
                read_ct := span.read_ct;
                consumer_worker_id := span.consumer_worker_id;
                dequeued_at := span.dequeued_at;
                lo := lower(ids);
                hi := upper(ids) - 1;
                return next;
                todo := todo - ids;
                exit when isempty(todo);
            end loop;
            -- A miss counts only when a fresh snapshot has no row of the lease
            -- that holds the message: a split may have moved it meanwhile.
            -- (Not `exists`, which drops the order, and with it the choice of the index.)
            exit when isempty(todo) or (
                select true from {schema}.pgqrs_spans s
                where s.queue_id = queue and s.lease = asked and s.ids && todo
                order by s.id
                limit 1) is null;
        end loop;
    end loop;
end
$body$;

-- Moves deliveries to the archive. With again, those that this very delivery
-- archived before are returned too (before is true): the answer of an earlier
-- call was lost. A triple may then be returned in parts, and what this call
-- archived in both ways.
create function {schema}.pgqrs_archive(
    queue bigint, leases bigint[], los bigint[], his bigint[], again boolean default false,
    at timestamptz default null)
returns table (of_lease bigint, from_id bigint, to_id bigint, before boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $body$
begin
    return query
        with taken as materialized (
            select * from {schema}.pgqrs_take(queue, leases, los, his)
        ), put as (
            insert into {schema}.pgqrs_done (queue_id, lease, outcome, archived_at, dequeued_at, consumer_worker_id, read_ct, vt, n, lo, hi, ids)
            select queue, t.lease, 'archived', coalesce(at, clock_timestamp()), t.dequeued_at, t.consumer_worker_id, t.read_ct, t.vt, t.n, t.lo, t.hi, t.ids
            from taken t
        ), counted as ( -- a row for each span: adding up costs a small call more
            insert into {schema}.pgqrs_tally (queue_id, at, acked, archived)
            select queue, coalesce(at, clock_timestamp()), t.n, t.n from taken t
        )
        select t.lease, lower(r), upper(r) - 1, false from taken t, unnest(t.ids) r;
    if again then
        -- A new statement: the first call, if it is still on its way in another
        -- session, held the advisory locks that pgqrs_take waited for.
        return query
            select d.lease, lower(r), upper(r) - 1, true
            from unnest(leases, los, his) u(lease, lo, hi), lateral (
                select d.lease, d.outcome, d.ids
                from {schema}.pgqrs_done d
                where d.queue_id = queue and d.lo > u.lo - 4096 and d.lo <= u.hi and d.hi >= u.lo and d.lease = u.lease
                offset 0
            ) d, unnest(d.ids * int8multirange(int8range(u.lo, u.hi, '[]'))) r
            where d.outcome = 'archived'; -- out here: not by the index of times
    end if;
end
$body$;

-- Deletes messages of a queue that are in no set any more: their log rows, and their
-- attempts. To be called with the ids that removed sets returned, and no others. One
-- index walk per range, and then the rows by their ctid: as a join the planner would
-- read far more. Rows of the log never move.
create function {schema}.pgqrs_erase(queue bigint, of_ids int8multirange[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $body$
begin
    delete from {schema}.pgqrs_log l
    where l.ctid = any (array(
        select m.ctid from unnest(of_ids) u(ids), unnest(u.ids) r, lateral (
            select k.ctid from {schema}.pgqrs_log k
            where k.id >= lower(r) and k.id < upper(r) and k.queue_id = queue
            offset 0
        ) m));
    delete from {schema}.pgqrs_attempts a
    where a.ctid = any (array(
        select m.ctid from unnest(of_ids) u(ids), unnest(u.ids) r, lateral (
            select k.ctid from {schema}.pgqrs_attempts k
            where k.queue_id = queue and k.message_id >= lower(r) and k.message_id < upper(r)
            offset 0
        ) m));
end
$body$;

-- Deletes deliveries and their messages. Log rows are deleted only by the ids
-- that removed spans returned.
create function {schema}.pgqrs_delete(queue bigint, leases bigint[], los bigint[], his bigint[])
returns table (of_lease bigint, from_id bigint, to_id bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $body$
declare
    ids     int8multirange;
    gone    int8multirange[] := '{}';
    removed bigint := 0;
begin
    for of_lease, ids in
        select t.lease, t.ids from {schema}.pgqrs_take(queue, leases, los, his) t
    loop
        gone := gone || ids;
        for from_id, to_id in select lower(r), upper(r) - 1 from unnest(ids) r loop
            removed := removed + to_id - from_id + 1;
            return next;
        end loop;
    end loop;
    if removed > 0 then
        perform {schema}.pgqrs_erase(queue, gone);
        insert into {schema}.pgqrs_tally (queue_id, at, acked) values (queue, clock_timestamp(), removed);
    end if;
end
$body$;

-- Lengthens leases and returns their new end. With keep, vt becomes
-- greatest(vt, now + period); otherwise greatest(vt, now) + period. A lease that
-- ran out and that nobody took is held again.
create function {schema}.pgqrs_extend_vt(
    queue bigint, leases bigint[], los bigint[], his bigint[], period interval, keep boolean,
    at timestamptz default null)
returns table (of_lease bigint, from_id bigint, to_id bigint, new_vt timestamptz)
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $body$
begin
    return query
        with taken as materialized (
            -- The clock is read for each row, behind its lock.
            select t.*, case when keep then greatest(t.vt, coalesce(at, clock_timestamp()) + period)
                             else greatest(t.vt, coalesce(at, clock_timestamp())) + period end as until
            from {schema}.pgqrs_take(queue, leases, los, his) t
        ), put as (
            insert into {schema}.pgqrs_spans (queue_id, lease, vt, since, read_ct, consumer_worker_id, dequeued_at, n, lo, hi, ids)
            select queue, t.lease, t.until, t.since, t.read_ct, t.consumer_worker_id, t.dequeued_at, t.n, t.lo, t.hi, t.ids
            from taken t
        )
        select t.lease, lower(r), upper(r) - 1, t.until from taken t, unnest(t.ids) r;
end
$body$;

-- Makes deliveries ready again, `delay` from now. With undelivered nothing of
-- them reached the application: read_ct goes back by one, and they take their
-- old place in line; otherwise they were an attempt. lease becomes 0: nobody holds them.
create function {schema}.pgqrs_release(
    queue bigint, leases bigint[], los bigint[], his bigint[], undelivered boolean, delay interval,
    at timestamptz default null)
returns table (of_lease bigint, from_id bigint, to_id bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $body$
begin
    return query
        with taken as materialized (
            select t.*, coalesce(at, clock_timestamp()) as now
            from {schema}.pgqrs_take(queue, leases, los, his) t
        ), put as (
            insert into {schema}.pgqrs_spans (queue_id, lease, vt, since, read_ct, n, lo, hi, ids)
            select queue, 0, d.due, d.due, t.read_ct - undelivered::integer, t.n, t.lo, t.hi, t.ids
            from taken t, lateral (select case when undelivered then t.since else t.now + delay end) d(due)
        ), noted as (
            insert into {schema}.pgqrs_attempts (queue_id, message_id, lease, attempt, consumer_worker_id, started_at, ended_at, outcome)
            select queue, m.id, t.lease, t.read_ct, t.consumer_worker_id, t.dequeued_at, t.now, 'released'
            from taken t, unnest(t.ids) r, generate_series(lower(r), upper(r) - 1) m(id)
            where not undelivered
            on conflict do nothing
        )
        select t.lease, lower(r), upper(r) - 1 from taken t, unnest(t.ids) r;
end
$body$;

-- How long after its failure a message comes again: by the policy of its queue, or of
-- whoever failed; null where there is none. read_ct is 1 after the first delivery.
create function {schema}.pgqrs_retry_delay(kind text, base interval, most interval, jitter float8, read_ct integer)
returns interval
language sql volatile
set search_path = pg_catalog, pg_temp
as $body$
    select make_interval(secs => case kind
        when 'fixed' then extract(epoch from base)::float8
        when 'exponential' then least(extract(epoch from most)::float8, extract(epoch from base)::float8 * 2.0 ^ least(read_ct - 1, 60))
    end * (1 - jitter * random()))
$body$;

-- Ends deliveries as failed: each message is ready again after its delay or, where this
-- was the last delivery that it may have, dead. The delay is delays[i]; where that is
-- null it is by the retry policy of the arguments or, without one, of the queue; and
-- vts[i] where there is none. los and his name one message each, errors[i] is what went
-- wrong. The queue's own max_read_ct comes before the argument (0: no limit).
create function {schema}.pgqrs_fail(
    queue bigint, leases bigint[], los bigint[], his bigint[], errors text[], delays interval[], vts interval[],
    max_read_ct integer, kind text default null, base interval default '0', most interval default '0',
    jitter float8 default 0, at timestamptz default null)
returns table (of_lease bigint, from_id bigint, to_id bigint, dies boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
as $body$
begin
    select coalesce(kind, q.retry_kind), case when kind is null then q.retry_base else base end,
           case when kind is null then q.retry_max else most end, case when kind is null then q.retry_jitter else jitter end,
           coalesce(q.max_read_ct, pgqrs_fail.max_read_ct)
    into kind, base, most, jitter, max_read_ct
    from {schema}.pgqrs_queues q where q.id = queue;
    return query
        with taken as materialized (
            select t.* from {schema}.pgqrs_take(queue, leases, los, his) t
        ), clock as materialized ( -- behind the locks
            select coalesce(at, clock_timestamp()) as now from taken limit 1
        ), asked as (
            select distinct on (u.lease, u.id) * from unnest(leases, los, errors, delays, vts) u(lease, id, error, delay, vt)
        ), failed as materialized (
            select t.lease, m.id, t.read_ct, t.consumer_worker_id, t.dequeued_at, t.vt, c.now, u.error,
                   max_read_ct > 0 and t.read_ct >= max_read_ct as dies,
                   c.now + coalesce(u.delay, {schema}.pgqrs_retry_delay(kind, base, most, jitter, t.read_ct), u.vt) as due
            from clock c cross join taken t cross join unnest(t.ids) r
            cross join generate_series(lower(r), upper(r) - 1) m(id)
            join asked u on u.lease = t.lease and u.id = m.id
        ), noted as (
            insert into {schema}.pgqrs_attempts (queue_id, message_id, lease, attempt, consumer_worker_id, started_at, ended_at, outcome, error)
            select queue, f.id, f.lease, f.read_ct, f.consumer_worker_id, f.dequeued_at, f.now, 'failed', nullif(f.error, '')
            from failed f
            on conflict do nothing
        ), put as (
            insert into {schema}.pgqrs_spans (queue_id, lease, vt, since, read_ct, n, lo, hi, ids)
            select queue, 0, g.due, g.due, g.read_ct, p.n, p.lo, p.hi, p.ids
            from (select f.due, f.read_ct, array_agg(f.id order by f.id) as ids from failed f where not f.dies group by f.due, f.read_ct) g,
                 {schema}.pgqrs_pack(g.ids) p
        ), ended as (
            insert into {schema}.pgqrs_done (queue_id, lease, outcome, archived_at, dequeued_at, consumer_worker_id, read_ct, vt, n, lo, hi, ids)
            select queue, g.lease, 'dead', g.now, g.dequeued_at, g.consumer_worker_id, g.read_ct, g.vt, p.n, p.lo, p.hi, p.ids
            from (select f.lease, f.now, f.dequeued_at, f.consumer_worker_id, f.read_ct, f.vt, array_agg(f.id order by f.id) as ids
                  from failed f where f.dies group by 1, 2, 3, 4, 5, 6) g,
                 {schema}.pgqrs_pack(g.ids) p
        ), counted as (
            insert into {schema}.pgqrs_tally (queue_id, at, dead)
            select queue, min(f.now), count(*) from failed f where f.dies having count(*) > 0
        )
        select f.lease, f.id, f.id, f.dies from failed f;
end
$body$;

-- Settles a live message that the caller does not hold, by its id: deletes it, or else
-- makes it ready now; one that is leased only with `from_holder`, who settles nothing
-- afterwards, since the lease does not hold the message any more. One row, about the
-- message as it was found, or none where there is no such message; done is false where
-- it is not alive, or leased and not to be touched. What is ready stays as it is when it
-- is released. What is deleted so was handled by nobody, and is not counted as
-- acknowledged, as after a purge.
--
-- What is leased, or was and its lease ran out, is settled as by its holder: behind the
-- lease's turn, and the look at it is repeated there. What nobody holds is taken out of
-- its row behind the row's lock. Should a dequeue have been quicker, the lock is let go
-- of, since the next thing to wait for may be the turn of the new lease, and all begins
-- anew with a fresh snapshot.
create function {schema}.pgqrs_seize(
    message_id bigint, erase boolean, from_holder boolean, at timestamptz default null)
returns table (of_queue bigint, state text, done boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_sort = off
set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $body$
declare
    alone int8multirange := int8multirange(int8range(message_id, message_id, '[]'));
    found_at record;
    turn  bigint := 0; -- the lease whose turn is ours
    now   timestamptz;
    place tid; -- of the row that we have locked, which stays there
    rest  integer;
    reads integer;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'pgqrs settles deliveries in READ COMMITTED only' using errcode = 'PQ004';
    end if;
    done := false;
    loop
        -- One snapshot of all three: a message that is being moved is in one of them.
        select l.queue_id, s.at_place, s.lease, s.vt, d.outcome into found_at
        from {schema}.pgqrs_log l
        left join lateral (
            select s.ctid as at_place, s.lease, s.vt from {schema}.pgqrs_spans s
            where s.queue_id = l.queue_id and s.lo > l.id - 4096 and s.lo <= l.id and s.hi >= l.id and s.ids @> l.id
            order by s.lo desc
            limit 1
        ) s on true
        left join lateral (
            select d.outcome from {schema}.pgqrs_done d
            where d.queue_id = l.queue_id and d.lo > l.id - 4096 and d.lo <= l.id and d.hi >= l.id and d.ids @> l.id
            order by d.lo desc
            limit 1
        ) d on true
        where l.id = message_id;
        if not found or found_at.at_place is null and found_at.outcome is null then
            return;
        end if;
        now := coalesce(at, clock_timestamp());
        of_queue := found_at.queue_id;
        state := coalesce(found_at.outcome, case when found_at.vt <= now then 'ready' when found_at.lease = 0 then 'delayed' else 'leased' end);
        exit when found_at.at_place is null or state = 'leased' and not from_holder;
        if state = 'ready' and not erase then
            done := true;
            exit;
        end if;
        if found_at.lease not in (0, turn) then
            turn := found_at.lease;
            perform pg_advisory_xact_lock(turn);
            continue; -- the holder may have settled it meanwhile, or extended its lease
        end if;
        begin
            if found_at.lease <> 0 then
                if erase then
                    perform from {schema}.pgqrs_take(of_queue, array[turn], array[message_id], array[message_id]);
                else
                    perform from {schema}.pgqrs_release(of_queue, array[turn], array[message_id], array[message_id], false, '0', at);
                end if;
                done := found;
            else
                select s.ctid, s.n - 1, s.read_ct into place, rest, reads from {schema}.pgqrs_spans s
                where s.ctid = found_at.at_place and s.queue_id = of_queue and s.lease = 0 and s.vt = found_at.vt and s.ids @> message_id
                for update;
                done := found;
                if rest = 0 then
                    delete from {schema}.pgqrs_spans s
                    where s.ctid = place;
                elsif done then
                    update {schema}.pgqrs_spans s set ids = s.ids - alone, n = rest
                    where s.ctid = place;
                end if;
                if done and not erase then
                    insert into {schema}.pgqrs_spans (queue_id, lease, vt, since, read_ct, n, lo, hi, ids)
                    values (of_queue, 0, now, now, reads, 1, message_id, message_id, alone);
                end if;
            end if;
            if not done then
                raise exception using errcode = 'PQ002';
            end if;
            if erase then
                perform {schema}.pgqrs_erase(of_queue, array[alone]);
            end if;
        exception when sqlstate 'PQ002' then
            null;
        end;
        exit when done;
    end loop;
    return next;
end
$body$;

-- Gives deliveries a lease that they share with no others, and with it all else as
-- it was: who then settles them in a transaction that stays open (pgqrs_archive_tx,
-- pgqrs_delete_tx) keeps nobody waiting who works on the rest of their old lease.
create function {schema}.pgqrs_detach(queue bigint, leases bigint[], los bigint[], his bigint[])
returns table (of_lease bigint, from_id bigint, to_id bigint, new_lease bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $body$
declare
    -- As pgqrs_dequeue draws it.
    drawn bigint := (extract(epoch from clock_timestamp()) * 1000000)::bigint * 1024 + nextval($name${schema}.pgqrs_lease$name$);
begin
    return query
        with taken as materialized (
            select * from {schema}.pgqrs_take(queue, leases, los, his)
        ), put as (
            insert into {schema}.pgqrs_spans (queue_id, lease, vt, since, read_ct, consumer_worker_id, dequeued_at, n, lo, hi, ids)
            select queue, drawn, t.vt, t.since, t.read_ct, t.consumer_worker_id, t.dequeued_at, t.n, t.lo, t.hi, t.ids
            from taken t
        )
        select t.lease, lower(r), upper(r) - 1, drawn from taken t, unnest(t.ids) r;
end
$body$;

-- What the library calls inside the caller's transaction (tx=): archives
-- deliveries that were detached, and returns the ids of those that were held. The
-- lease and its rows stay locked until that transaction has ended; a dequeue passes
-- over them. When it rolls back, the lease is as it was.
create function {schema}.pgqrs_archive_tx(of_store uuid, queue bigint, leases bigint[], message_ids bigint[])
returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform {schema}.pgqrs_check_identity(of_store);
    return array(
        select i from {schema}.pgqrs_archive(queue, leases, message_ids, message_ids) a, generate_series(a.from_id, a.to_id) i);
end
$body$;

-- The same for deleting.
create function {schema}.pgqrs_delete_tx(of_store uuid, queue bigint, leases bigint[], message_ids bigint[])
returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform {schema}.pgqrs_check_identity(of_store);
    return array(
        select i from {schema}.pgqrs_delete(queue, leases, message_ids, message_ids) d, generate_series(d.from_id, d.to_id) i);
end
$body$;

-- Deletes up to `most` sets of live messages, leased ones included, with ids up
-- to `upto`, and returns how many messages that were; 0: a fresh snapshot showed
-- none. Waits for a row only while it has locked no other: a dequeue may give that
-- row to a higher lease meanwhile, and then the order of the locks would not be that
-- of settling.
create function {schema}.pgqrs_purge(queue bigint, upto bigint, most integer default 1000)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_sort = off
set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $body$
declare
    removed bigint;
    gone    int8multirange[];
    newer   bigint; -- rows that were locked and are not at the place that the snapshot knew
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'pgqrs_purge needs READ COMMITTED' using errcode = 'PQ004';
    end if;
    loop
        with locked as materialized (
            select s.ctid as place from {schema}.pgqrs_spans s
            where s.queue_id = queue and s.lo <= upto
            order by s.lease, s.id
            limit most
            for update skip locked
        ), taken as (
            -- A row that changed since the snapshot is not seen at its new place
            -- before the next statement; then it is still locked.
            delete from {schema}.pgqrs_spans s where s.ctid = any (array(select k.place from locked k))
            returning s.n, s.ids
        )
        select coalesce(sum(t.n), 0), array_agg(t.ids), (select count(*) from locked) into removed, gone, newer from taken t;
        if removed > 0 then
            perform {schema}.pgqrs_erase(queue, gone);
            exit;
        end if;
        continue when newer > 0; -- while we hold what changed, we must not wait
        exit when not exists (
            select from {schema}.pgqrs_spans s where s.queue_id = queue and s.lo <= upto);
        -- Others have locked what is left. What they leave of it, or put there
        -- instead, is to be purged too.
        perform from {schema}.pgqrs_spans s
        where s.queue_id = queue and s.lo <= upto
        order by s.lease, s.id
        limit 1
        for update;
    end loop;
    return removed;
end
$body$;

update {schema}.pgqrs_schema set version = 5, compatible_from = 5, upgraded_at = now();
