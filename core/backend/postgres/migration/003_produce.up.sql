-- Producing. pgqrs_produce and pgqrs_produce_batch are for everybody, inside
-- any transaction (docs/sql.md); the others are the library's. What has a key to be
-- unique by is in the migration 009.
--
-- Every function of pgqrs fixes its search_path, names its objects in full, and
-- runs with the caller's rights. The other settings keep its plans to index
-- walks, also where nothing has been analysed: a generic plan, since planning
-- costs more than most of these statements; no sequential scan, which a generic
-- plan on array variables would choose; no bitmap scan, which reads the index to
-- its end before the first row and leaves its dead entries unmarked; no JIT, which
-- costs milliseconds; no sort where the order tells which index to walk: while one row
-- is left of many, all indexes seem equally good, and the others are full of the dead.

-- Sets of ascending ids for new rows: at most 250 ids, 64 ranges and 4095 apart
-- each, so that taking an id out of one stays cheap.
create function {schema}.pgqrs_pack(message_ids bigint[])
returns table (n integer, lo bigint, hi bigint, ids int8multirange)
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $body$
declare
    k     integer := cardinality(message_ids);
    first bigint  := message_ids[1];
    last  bigint  := message_ids[k];
begin
    if last - first = k - 1 then -- nothing in between: arithmetic is enough
        return query
        select (least(g + 249, last) - g + 1)::integer, g, least(g + 249, last),
               int8multirange(int8range(g, least(g + 249, last), '[]'))
        from generate_series(first, last, 250) g;
        return;
    end if;
    -- Three numbers never fall along the ids; where none of them changes, the
    -- ids are one row. ranked - id is the same along a range.
    return query
    with listed as (
        select m.id, m.ranked, m.id <> coalesce(lag(m.id) over (order by m.ranked), m.id) + 1 as breaks
        from unnest(message_ids) with ordinality m(id, ranked)
    ), placed as (
        select m.id, m.ranked, (m.ranked - 1) / 250 as by_count, (m.id - first) / 4096 as by_distance,
               sum(m.breaks::integer) over (order by m.ranked) / 64 as by_ranges
        from listed m
    ), ranges as (
        select m.by_count, m.by_distance, m.by_ranges, min(m.id) as lo, max(m.id) as hi
        from placed m
        group by m.by_count, m.by_distance, m.by_ranges, m.id - m.ranked
    )
    select sum(r.hi - r.lo + 1)::integer, min(r.lo), max(r.hi), range_agg(int8range(r.lo, r.hi, '[]'))
    from ranges r
    group by r.by_count, r.by_distance, r.by_ranges
    order by 2;
end
$body$;

-- Stores messages that become ready `delay` from now, and returns their ids in
-- the order of the payloads. SQLSTATE PQ001: there is no such queue.
--
-- Until the end of the transaction the queue cannot be deleted: shares an advisory
-- lock (minus its id; leases, which are locked too, are positive) with all who
-- produce into it, which pgqrs_queue_delete takes for itself. A lock of its row, as a
-- foreign key takes, would be written to the table and to the WAL by each call.
-- Locks nothing else but the new rows.
create function {schema}.pgqrs_enqueue(
    queue bigint, payloads json[], delay interval default '0', worker bigint default null,
    at timestamptz default null)
returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $body$
declare
    stored  timestamptz := coalesce(at, clock_timestamp());
    due     timestamptz := stored + delay;
    new_ids bigint[];
    one     bigint;
begin
    perform pg_advisory_xact_lock_shared(-queue);
    -- The next statement has a new snapshot, unless the caller's transaction keeps
    -- one: then the row is locked, which is an error (40001) when it was deleted since.
    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        perform from {schema}.pgqrs_queues q where q.id = queue for key share;
    end if;
    if not exists (select from {schema}.pgqrs_queues q where q.id = queue) then
        raise exception 'queue % does not exist', queue using errcode = 'PQ001';
    end if;
    if cardinality(payloads) = 0 then
        return '{}';
    end if;
    insert into {schema}.pgqrs_tally (queue_id, at, produced) values (queue, stored, cardinality(payloads));
    if cardinality(payloads) = 1 then
        insert into {schema}.pgqrs_log (queue_id, enqueued_at, producer_worker_id, payload)
        values (queue, stored, worker, payloads[1])
        returning id into one;
        insert into {schema}.pgqrs_spans (queue_id, vt, since, n, lo, hi, ids)
        values (queue, due, due, 1, one, one, int8multirange(int8range(one, one, '[]')));
        return array[one];
    end if;
    -- Rows come in the order of the array, and ids are drawn row by row. Not from a
    -- function scan, which keeps a copy of all payloads before it gives the first.
    with stored_rows as (
        insert into {schema}.pgqrs_log (queue_id, enqueued_at, producer_worker_id, payload)
        select queue, stored, worker, unnest(payloads)
        returning id
    )
    select array_agg(r.id) into new_ids from stored_rows r;
    insert into {schema}.pgqrs_spans (queue_id, vt, since, n, lo, hi, ids)
    select queue, due, due, p.n, p.lo, p.hi, p.ids from {schema}.pgqrs_pack(new_ids) p;
    return new_ids;
end
$body$;

-- The id of the queue of that name, which is made when it is missing. Until the
-- transaction that makes it has ended, others who need the same name wait.
create function {schema}.pgqrs_queue_ensure(name text)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $body$
declare
    found_id bigint;
begin
    loop
        select q.id into found_id from {schema}.pgqrs_queues q where q.queue_name = name;
        if found then
            return found_id;
        end if;
        insert into {schema}.pgqrs_queues (queue_name) values (name)
        on conflict (queue_name) do nothing
        returning id into found_id;
        if found then
            return found_id;
        end if;
    end loop;
end
$body$;

-- pgqrs_queue_ensure, and the queue cannot be deleted until the transaction has ended.
create function {schema}.pgqrs_queue_hold(name text)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $body$
declare
    target bigint;
begin
    loop
        target := {schema}.pgqrs_queue_ensure(name);
        perform pg_advisory_xact_lock_shared(-target);
        if exists (select from {schema}.pgqrs_queues q where q.id = target) then
            return target;
        end if; -- deleted meanwhile: it is made anew
    end loop;
end
$body$;

-- Stores messages inside the caller's transaction, and tells the listeners of the
-- queue at its commit, whether they sleep or not: one may fall asleep before that,
-- and could not see the messages then. A snapshot of the whole transaction may be
-- older than a listener's entry, so there they are told in any case.
create function {schema}.pgqrs_enqueue_telling(target bigint, payloads json[], delay interval, worker bigint default null)
returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
as $body$
declare
    new_ids bigint[] := {schema}.pgqrs_enqueue(target, payloads, delay, worker);
begin
    if current_setting('transaction_isolation') <> 'read committed'
       or exists (select from {schema}.pgqrs_waiting w where w.queue_id = target and w.until > clock_timestamp()) then
        perform pg_notify('pgqrs_' || replace(s.identity::text, '-', ''), target::text)
        from {schema}.pgqrs_schema s;
    end if;
    return new_ids;
end
$body$;

-- Refuses, with SQLSTATE PQ005, to work for a store of another schema than this
-- one: one of the same name in another database, for instance.
create function {schema}.pgqrs_check_identity(of_store uuid)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
begin
    if not exists (select from {schema}.pgqrs_schema s where s.identity = of_store) then
        raise exception 'this connection leads to another pgqrs than that of the store'
            using errcode = 'PQ005', hint = 'It is in another database, or was installed anew since the store was connected.';
    end if;
end
$body$;

-- The queue of a call inside the caller's transaction. The library's core has made it
-- in a transaction of its own; should it be gone again, it is made anew here, or else
-- PQ001. In REPEATABLE READ a queue that is younger than the snapshot is a
-- serialization failure (40001): the caller's next try finds it.
create function {schema}.pgqrs_queue_of_tx(name text, make_queue boolean)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $body$
declare
    target bigint;
begin
    if make_queue then
        return {schema}.pgqrs_queue_hold(name);
    end if;
    select q.id into target from {schema}.pgqrs_queues q where q.queue_name = name;
    if not found then
        raise exception 'there is no queue "%"', name using errcode = 'PQ001';
    end if;
    return target;
end
$body$;

-- What the library calls inside the caller's transaction (tx=). Its core has checked
-- everything.
create function {schema}.pgqrs_produce_tx(
    of_store uuid, queue text, payloads json[], delay_us bigint, worker bigint, make_queue boolean)
returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform {schema}.pgqrs_check_identity(of_store);
    return {schema}.pgqrs_enqueue_telling(
        {schema}.pgqrs_queue_of_tx(queue, make_queue), payloads, delay_us * interval '1 microsecond', nullif(worker, 0));
end
$body$;

-- Refuses what cannot be stored: SQLSTATE 22023, 22004, or what jsonb says of a payload
-- that it cannot hold, since the views could not show it.
create function {schema}.pgqrs_check_payloads(queue text, payloads json[], delay interval)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
declare
    payload json;
begin
    if queue is null or char_length(queue) not between 1 and 255 then
        raise exception 'the name of a queue has 1 to 255 characters' using errcode = '22023';
    end if;
    if delay is null or delay < '0' or delay > '10 years' then
        raise exception 'delay must be between 0 and 10 years' using errcode = '22023';
    end if;
    foreach payload in array payloads loop
        if payload is null then
            raise exception 'a payload is null; the JSON value is written ''null''' using errcode = '22004';
        end if;
        perform payload::jsonb;
    end loop;
end
$body$;

-- Stores messages inside the caller's transaction: they are there when it
-- commits. The queue is made when it is missing.
create function {schema}.pgqrs_produce_batch(queue text, payloads json[], delay interval default '0')
returns setof bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform {schema}.pgqrs_check_payloads(queue, payloads, delay);
    if cardinality(payloads) > 0 then
        return query select id
        from unnest({schema}.pgqrs_enqueue_telling({schema}.pgqrs_queue_hold(queue), payloads, delay)) id;
    end if;
end
$body$;

-- One message; see pgqrs_produce_batch, and pgqrs_produce_keyed where there is a key.
create function {schema}.pgqrs_produce(
    queue text, payload json, delay interval default '0', dedup_key text default null, dedup_for interval default null)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
begin
    if dedup_key is null and dedup_for is null then
        return (select id from {schema}.pgqrs_produce_batch(queue, array[payload], delay) id);
    end if;
    if dedup_key is null then
        raise exception 'dedup_for needs a dedup_key' using errcode = '22023';
    end if;
    return (select k.id from {schema}.pgqrs_produce_keyed(queue, array[payload], array[dedup_key], delay, dedup_for) k);
end
$body$;

-- Merges rows of messages that were produced singly and that nobody has leased for
-- `age`, so that a backlog of them is as small as one of batches. Looks at `most` rows,
-- from the vt `start` on, and returns how many rows it saved, and where to go on; upto
-- is null when it has seen all. As in a dequeue, rows are merged only where they follow
-- each other in the walk, ascending by id, never delivered, and held by nobody; so the
-- order of delivery stays. What has a delay is merged once it is due.
--
-- Locks the rows it looks at in the order of pgqrs_spans_ready, and never waits.
-- SQLSTATE PQ004: not in READ COMMITTED.
create function {schema}.pgqrs_merge(
    queue bigint, start timestamptz default '-infinity', age interval default '1 s',
    most integer default 1000, at timestamptz default null, out saved integer, out upto timestamptz)
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
    run      record;
    affected integer;
    due      timestamptz := coalesce(at, clock_timestamp()) - age; -- where the walk of the index ends
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'pgqrs_merge needs READ COMMITTED' using errcode = 'PQ004';
    end if;
    saved := 0;
    for run in
        with locked as materialized (
            select s.ctid as place, s.vt, s.hi, s.ids, s.lease = 0 and s.read_ct = 0 and s.n < 50 as small
            from {schema}.pgqrs_spans s
            where s.queue_id = queue and s.vt >= start and s.vt <= due
            order by s.vt, s.hi
            limit most
            for update skip locked
        ), lined as (
            -- A number, because rows may have the same vt and hi: what was parted keeps hi.
            select k.*, row_number() over (order by k.vt, k.hi) as line from locked k
        ), listed as (
            select l.*, not l.small or not lag(l.small, 1, false) over (order by l.line)
                        or lower(l.ids) < lag(upper(l.ids)) over (order by l.line) as breaks
            from lined l
        ), numbered as (
            select l.*, count(*) filter (where l.breaks) over (order by l.line) as number
            from listed l
        )
        select min(n.vt) as vt, array_agg(n.place) as places, array_agg(n.ids) as ids,
               (select case when count(*) = most then max(k.vt) end from locked k) as last_vt
        from numbered n
        group by n.number
    loop
        upto := run.last_vt;
        continue when cardinality(run.places) = 1;
        -- A new statement, which sees each row where it stood when it was locked.
        delete from {schema}.pgqrs_spans s where s.ctid = any (run.places);
        get diagnostics affected = row_count;
        if affected <> cardinality(run.places) then
            raise exception 'pgqrs_merge lost sight of % rows', cardinality(run.places) - affected;
        end if;
        saved := saved + affected;
        insert into {schema}.pgqrs_spans (queue_id, vt, since, n, lo, hi, ids)
        select queue, run.vt, run.vt, p.n, p.lo, p.hi, p.ids
        from {schema}.pgqrs_pack(array(
            select i from unnest(run.ids) u(ids), unnest(u.ids) r, generate_series(lower(r), upper(r) - 1) i order by i)) p;
        get diagnostics affected = row_count;
        saved := saved - affected;
    end loop;
end
$body$;

update {schema}.pgqrs_schema set version = 3, compatible_from = 3, upgraded_at = now();
