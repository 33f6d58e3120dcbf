-- Leasing messages.

-- The first k ids of a set.
create function {schema}.pgqrs_first_ids(ids int8multirange, k integer)
returns int8multirange
language sql immutable
set search_path = pg_catalog, pg_temp
as $body$
    select range_agg(int8range(lower(x.r), least(upper(x.r), lower(x.r) + k - x.before)))
    from (
        select r, (sum(upper(r) - lower(r)) over (order by lower(r)))::bigint - (upper(r) - lower(r)) as before
        from unnest(ids) r
    ) x
    where x.before < k
$body$;

-- Leases up to `want` ready messages of a queue for `lease_for`, in the order of
-- (vt, id), and returns one row for each, in that order; then one last row, whose
-- message_id is null, about the whole: its lease is null when nothing was
-- leased, dead counts what moved to the dead letters, first_vt is the vt at which
-- the walk began, and due_us says in how many microseconds the earliest message
-- of the queue is ready, locked ones included (null: there is none; only
-- computed when nothing was leased).
--
-- Where lease_for is null the queue's own default_vt counts, or else or_for; the
-- queue's own max_read_ct comes before the argument. What was delivered max_read_ct
-- times (0: no limit) moves to pgqrs_done instead. A paused queue gives nothing, and
-- due_us is null. SQLSTATE PQ001: there is no such queue.
--
-- Entries of the walk below `floor` are not looked at.
--
-- Locks rows of pgqrs_spans in the order of pgqrs_spans_ready and never waits:
-- what others have locked is passed over. SQLSTATE PQ004: not in READ COMMITTED,
-- where a statement sees what others committed since the one before.
create function {schema}.pgqrs_dequeue(
    queue bigint, want integer, lease_for interval, worker bigint, max_read_ct integer,
    floor timestamptz default '-infinity', at timestamptz default null, or_for interval default '5 s')
returns table (
    message_id bigint, payload json, enqueued_at timestamptz, producer bigint, delivered integer,
    new_lease bigint, taken_at timestamptz, until timestamptz, dead integer, first_vt timestamptz, due_us bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_sort = off
set enable_bitmapscan = off
set max_parallel_workers_per_gather = 0
set plan_cache_mode = force_generic_plan
as $body$
declare
    started timestamptz := coalesce(at, clock_timestamp());
    paused  timestamptz;
    -- An explicit cursor locks the rows that are fetched and no more; `limit`
    -- and the prefetching FOR loop would lock many that are not needed.
    walk cursor for
        select s.ctid as place, s.lease, s.vt, s.read_ct, s.n, s.ids
        from {schema}.pgqrs_spans s
        where s.queue_id = queue and s.vt >= floor and s.vt <= started
        order by s.vt, s.hi
        for update skip locked;
    span    record;
    part    int8multirange;
    suspect boolean;
    take    integer;
    got     integer := 0;
    told    bigint  := 0;
    -- A row that we have locked stays where it is until we write it, so its
    -- ctid is enough to find it again, and needs no index. These arrays are null where
    -- nothing is to be said: to make them empty took a fourteenth of a small call.
    dead_at  tid[]; -- delivered too often
    lapsed_at  tid[]; -- of a lease that ran out, and which of its messages are taken now
    lapsed_ids int8multirange[];
    whole_at tid[]; -- leased in place
    cut_at   tid[]; -- leased in part: the part is taken off the front
    cut_ids  int8multirange[];
    cut_n    integer[];
    -- Small rows that nobody holds become one where they follow each other,
    -- ascending by vt and by id and equally often delivered: a run. So the order
    -- of delivery is kept. Rows of one run share since (its first vt) and read_ct.
    small_at  tid[];
    small_ids int8multirange[];
    small_run integer[];
    run_vt    timestamptz[];
    run_ct    integer[];
    last_vt   timestamptz; -- of the run that is open; null: none is
    last_hi   bigint;
    last_ct   integer;
    run       record;
    -- What to read, its place in line, and how often it will have been delivered.
    part_ids int8multirange[];
    part_vt  timestamptz[];
    part_ct  integer[];
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'pgqrs_dequeue needs READ COMMITTED' using errcode = 'PQ004';
    end if;
    dead := 0;
    select q.paused_at, coalesce(lease_for, q.default_vt, or_for), coalesce(q.max_read_ct, pgqrs_dequeue.max_read_ct)
    into paused, lease_for, max_read_ct
    from {schema}.pgqrs_queues q where q.id = queue;
    if not found then
        raise exception 'queue % does not exist', queue using errcode = 'PQ001';
    end if;
    if paused is not null then
        return next;
        return;
    end if;
    open walk;
    while got < want loop
        fetch walk into span;
        exit when not found;
        first_vt := coalesce(first_vt, span.vt);
        if max_read_ct > 0 and span.read_ct >= max_read_ct then
            dead_at := dead_at || span.place;
            if span.lease <> 0 then
                lapsed_at := lapsed_at || span.place;
                lapsed_ids := lapsed_ids || span.ids;
            end if;
            last_vt := null;
            exit when cardinality(dead_at) >= 100; -- bounds the call; the caller comes again
            continue;
        end if;
        -- A suspect is a lease that ran out: one of its messages may have killed
        -- its process. Suspects come back in ever smaller pieces, and from the
        -- second time alone, so that in the end the culprit dies by itself.
        suspect := span.lease <> 0;
        exit when suspect and span.read_ct >= 2 and got > 0;
        take := least(want - got, case when suspect then greatest(1, span.n >> least(2 * span.read_ct, 30)) else span.n end);
        if take < span.n then
            part := case when upper(span.ids) - lower(span.ids) = span.n
                         then int8multirange(int8range(lower(span.ids), lower(span.ids) + take))
                         else {schema}.pgqrs_first_ids(span.ids, take) end;
            cut_at := cut_at || span.place;
            cut_ids := cut_ids || part;
            cut_n := cut_n || take;
        elsif suspect or span.n >= 50 then
            part := span.ids;
            whole_at := whole_at || span.place;
        else
            if last_vt is null or span.vt < last_vt or lower(span.ids) <= last_hi or span.read_ct <> last_ct then
                run_vt := run_vt || span.vt;
                run_ct := run_ct || span.read_ct;
            end if;
            last_vt := span.vt;
            last_hi := upper(span.ids) - 1;
            last_ct := span.read_ct;
            small_at := small_at || span.place;
            small_ids := small_ids || span.ids;
            small_run := small_run || cardinality(run_vt);
            got := got + take;
            continue;
        end if;
        if suspect then
            lapsed_at := lapsed_at || span.place;
            lapsed_ids := lapsed_ids || part;
        end if;
        last_vt := null;
        part_ids := part_ids || part;
        part_vt := part_vt || span.vt;
        part_ct := part_ct || span.read_ct + 1;
        got := got + take;
        exit when suspect and span.read_ct >= 2;
    end loop;
    close walk;

    -- Only now, behind the locks: a walk may take long, and the lease must not
    -- have run out before it begins.
    taken_at := coalesce(at, clock_timestamp());
    until := taken_at + lease_for;
    if lapsed_at is not null then
        insert into {schema}.pgqrs_attempts (queue_id, message_id, lease, attempt, consumer_worker_id, started_at, ended_at, outcome)
        select queue, m.id, s.lease, s.read_ct, s.consumer_worker_id, s.dequeued_at, s.vt, 'expired'
        from unnest(lapsed_at, lapsed_ids) u(place, ids)
        join {schema}.pgqrs_spans s on s.ctid = u.place
        cross join unnest(u.ids) r
        cross join generate_series(lower(r), upper(r) - 1) m(id)
        on conflict do nothing; -- a row too few in a history must not stop a queue
    end if;
    if dead_at is not null then
        with gone as (
            delete from {schema}.pgqrs_spans s where s.ctid = any(dead_at) returning s.*
        ), put as (
            insert into {schema}.pgqrs_done (queue_id, lease, outcome, archived_at, dequeued_at, consumer_worker_id, read_ct, vt, n, lo, hi, ids)
            select g.queue_id, g.lease, 'dead', taken_at, g.dequeued_at, g.consumer_worker_id, g.read_ct, g.vt, g.n, g.lo, g.hi, g.ids
            from gone g
        )
        select sum(g.n) into dead from gone g;
        insert into {schema}.pgqrs_tally (queue_id, at, dead) values (queue, taken_at, pgqrs_dequeue.dead);
    end if;

    if got > 0 then
        -- Never used twice, also not after a crash, in which a sequence can fall
        -- back; and never lower than before.
        new_lease := (extract(epoch from clock_timestamp()) * 1000000)::bigint * 1024 + nextval($name${schema}.pgqrs_lease$name$);

        -- Most calls have no run, or one of one row; the loop would start a query for it.
        if cardinality(small_at) = 1 then
            whole_at := whole_at || small_at;
            part_ids := part_ids || small_ids;
            part_vt := part_vt || run_vt;
            part_ct := part_ct || run_ct[1] + 1;
        elsif small_at is not null then
            for run in
                select u.run, array_agg(u.place) as places, array_agg(u.ids) as ids
                from unnest(small_at, small_ids, small_run) u(place, ids, run)
                group by u.run
            loop
                if cardinality(run.places) = 1 then
                    whole_at := whole_at || run.places[1];
                    part_ids := part_ids || run.ids[1];
                    part_vt := part_vt || run_vt[run.run];
                    part_ct := part_ct || run_ct[run.run] + 1;
                    continue;
                end if;
                delete from {schema}.pgqrs_spans s where s.ctid = any(run.places);
                for span in
                    insert into {schema}.pgqrs_spans (queue_id, lease, vt, since, read_ct, consumer_worker_id, dequeued_at, n, lo, hi, ids)
                    select queue, new_lease, until, run_vt[run.run], run_ct[run.run] + 1, worker, taken_at, p.n, p.lo, p.hi, p.ids
                    from {schema}.pgqrs_pack(array(
                        select i from unnest(run.ids) u(ids), unnest(u.ids) r, generate_series(lower(r), upper(r) - 1) i order by i)) p
                    returning ids, since, read_ct
                loop
                    part_ids := part_ids || span.ids;
                    part_vt := part_vt || span.since;
                    part_ct := part_ct || span.read_ct;
                end loop;
            end loop;
        end if;

        if whole_at is not null then
            update {schema}.pgqrs_spans s
            set lease = new_lease, vt = until, since = s.vt, read_ct = s.read_ct + 1, consumer_worker_id = worker, dequeued_at = taken_at
            where s.ctid = any(whole_at);
        end if;
        for i in 1 .. coalesce(cardinality(cut_at), 0) loop
            -- The rest keeps lo, hi and vt, so the update is HOT, and its fence:
            -- what is left of an expired lease may still be settled.
            with rest as (
                update {schema}.pgqrs_spans s set ids = s.ids - cut_ids[i], n = s.n - cut_n[i]
                where s.ctid = cut_at[i]
                returning s.vt, s.read_ct
            )
            insert into {schema}.pgqrs_spans (queue_id, lease, vt, since, read_ct, consumer_worker_id, dequeued_at, n, lo, hi, ids)
            select queue, new_lease, until, r.vt, r.read_ct + 1, worker, taken_at, cut_n[i], lower(cut_ids[i]), upper(cut_ids[i]) - 1, cut_ids[i]
            from rest r;
        end loop;

        -- One index walk per range; `offset 0` keeps the planner from turning
        -- them into a join over the whole log.
        return query
            select m.id, m.payload, m.enqueued_at, m.producer_worker_id, x.ct,
                   null::bigint, null::timestamptz, null::timestamptz, null::integer, null::timestamptz, null::bigint
            from (
                select u.ct, r
                from unnest(part_ids, part_vt, part_ct) u(ids, vt, ct), unnest(u.ids) r
                order by u.vt, lower(r)
            ) x, lateral (
                select l.id, l.payload, l.enqueued_at, l.producer_worker_id
                from {schema}.pgqrs_log l
                where l.id >= lower(x.r) and l.id < upper(x.r) and l.queue_id = queue
                order by l.id
                offset 0
            ) m;
        get diagnostics told = row_count;
        if told < got then
            perform {schema}.pgqrs_forget_missing(queue, new_lease);
        end if;
    end if;

    if told = 0 then
        -- A new statement, and so a fresh snapshot; it sees rows that others have
        -- locked. What is due there is not ours to lease, but the queue is not
        -- empty either.
        new_lease := null;
        select (extract(epoch from s.vt - coalesce(at, clock_timestamp())) * 1000000)::bigint into due_us
        from {schema}.pgqrs_spans s
        where s.queue_id = queue
        order by s.vt, s.hi
        limit 1;
    end if;
    return next;
end
$body$;

-- Takes messages whose payload is gone out of a lease, so that they cannot eat
-- the limit of a dequeue for ever. Only the transaction that drew the lease
-- calls it.
create function {schema}.pgqrs_forget_missing(queue bigint, of_lease bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_sort = off
set enable_bitmapscan = off
as $body$
declare
    span record;
begin
    for span in
        select s.id, s.n, there.ids, there.n as k
        from {schema}.pgqrs_spans s, lateral (
            select range_agg(int8range(m.id, m.id, '[]')) as ids, count(m.id)::integer as n
            from unnest(s.ids) r, lateral (
                select l.id from {schema}.pgqrs_log l
                where l.id >= lower(r) and l.id < upper(r) and l.queue_id = queue
                offset 0
            ) m
        ) there
        where s.queue_id = queue and s.lease = of_lease
        order by s.id -- by the primary key
    loop
        if span.k = 0 then
            delete from {schema}.pgqrs_spans s
            where s.queue_id = queue and s.lease = of_lease and s.id = span.id;
        elsif span.k < span.n then
            update {schema}.pgqrs_spans s set ids = span.ids, n = span.k
            where s.queue_id = queue and s.lease = of_lease and s.id = span.id;
        end if;
    end loop;
end
$body$;

update {schema}.pgqrs_schema set version = 4, compatible_from = 4, upgraded_at = now();
