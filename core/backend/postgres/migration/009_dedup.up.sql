-- Keys that at most one message has. Only who produces with a key looks here: nobody
-- who dequeues or settles does, so a key is not freed when its message ends; who
-- meets it next finds that out, and what nobody meets is swept
-- (docs/adr/0042-dedup.md).

-- One row: the key of a message. expires_at is null where the key is taken as long as
-- the message lives; else it is taken until then, whatever becomes of the message.
-- message_id is in no index, so that giving the key to another message is HOT.
create table {schema}.pgqrs_dedup (
    queue_id   bigint not null,
    dedup_key  text collate "C" not null,
    message_id bigint not null, -- 0 only inside the transaction that takes the key
    expires_at timestamptz,
    primary key (queue_id, dedup_key)
) with (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    vacuum_truncate = false
);

-- Whether the message is neither done nor gone, in the caller's snapshot: that one
-- snapshot is enough, for who moves a message from one row to another does so in one
-- transaction. Locks nothing. By pgqrs_spans_lookup, from the message downwards: the
-- row of a message that was stored singly is the first.
create function {schema}.pgqrs_lives(queue bigint, message_id bigint)
returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_sort = off
as $body$
begin
    -- Not `exists`, which drops the order.
    return (
        select true from {schema}.pgqrs_spans s
        where s.queue_id = queue and s.lo > message_id - 4096 and s.lo <= message_id and s.hi >= message_id
          and s.ids @> message_id
        order by s.lo desc
        limit 1) is not null;
end
$body$;

-- pgqrs_enqueue for payloads of which some have a key (null: none). A payload whose key
-- is taken is not stored; nor is one whose key stands earlier in the same call. Returns
-- an id for each payload, in order: its own, or minus that of the message that has the
-- key. The keys are taken as long as their messages live, or for `lasting` from now.
--
-- A key that is taken is told from one snapshot, without a lock. The others are locked,
-- in the order of their bytes, by inserting them or by locking the row that is there;
-- so two that take the same keys wait for each other and not in a circle. Who waited
-- looks again, in a new statement, because the one before had its snapshot already.
-- Waits for a transaction that has taken the same key no longer than patience (SQLSTATE
-- 55P03); null: as lock_timeout says, inside a transaction of the caller, which the
-- listeners of the queue hear of at its commit.
--
-- SQLSTATE PQ001: there is no such queue. PQ004: not in READ COMMITTED, where a
-- statement sees what others committed since the one before.
create function {schema}.pgqrs_enqueue_keyed(
    queue bigint, payloads json[], keys text[], delay interval default '0', lasting interval default null,
    worker bigint default null, at timestamptz default null, patience interval default null)
returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set max_parallel_workers_per_gather = 0
set plan_cache_mode = force_generic_plan
as $body$
declare
    moment     timestamptz;
    asked      text[]; -- keys to look at, ascending
    free       text[]; -- of them
    locked     boolean := false;
    mine       text[] := '{}';
    taken      text[] := '{}';
    taken_by   bigint[] := '{}';
    fresh      json[]; -- payloads to store
    places     bigint[]; -- where they stand
    fresh_ids  bigint[];
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'a message with a dedup_key can be stored in READ COMMITTED only' using errcode = 'PQ004';
    end if;
    if patience is not null then
        perform set_config('lock_timeout', (extract(epoch from patience) * 1000)::integer::text, true);
    end if;
    -- Before the first row of the queue is written: who deletes the queue waits.
    perform pg_advisory_xact_lock_shared(-queue);
    if cardinality(payloads) = 1 and keys[1] is not null then
        -- The same for one, which needs no sets.
        return {schema}.pgqrs_enqueue_with_key(queue, payloads, keys[1], delay, lasting, worker, at, patience is null);
    end if;
    asked := array(select distinct k.key collate "C" from unnest(keys) k(key) where k.key is not null order by 1);
    loop
        moment := coalesce(at, clock_timestamp());
        select coalesce(array_agg(k.key order by k.i) filter (where d.message_id is null), '{}'),
               taken || array_agg(k.key) filter (where d.message_id is not null),
               taken_by || array_agg(d.message_id) filter (where d.message_id is not null)
        into free, taken, taken_by
        from unnest(asked) with ordinality k(key, i)
        left join lateral (
            select d.message_id
            from {schema}.pgqrs_dedup d
            where d.queue_id = queue and d.dedup_key = k.key
              and case when d.expires_at is null then {schema}.pgqrs_lives(queue, d.message_id)
                       else d.expires_at > moment end
            offset 0
        ) d on true;
        if locked then
            mine := mine || free;
        end if;
        exit when locked or free = '{}';
        -- A function scan gives its rows in order. `where false` locks the row that is
        -- there, and leaves it as it is.
        with put as (
            insert into {schema}.pgqrs_dedup as d (queue_id, dedup_key, message_id)
            select queue, f.key, 0 from unnest(free) f(key)
            on conflict (queue_id, dedup_key) do update set message_id = 0 where false
            returning d.dedup_key
        )
        select coalesce(array_agg(p.dedup_key), '{}') into mine from put p;
        exit when cardinality(mine) = cardinality(free);
        asked := array(select f.key from unnest(free) f(key) except all select m.key from unnest(mine) m(key));
        locked := true;
    end loop;

    select coalesce(array_agg(u.payload order by u.i), '{}'), coalesce(array_agg(u.i order by u.i), '{}')
    into fresh, places
    from (
        select p.payload, p.key, p.i, row_number() over (partition by p.key order by p.i) as turn
        from unnest(payloads, keys) with ordinality p(payload, key, i)
    ) u
    left join unnest(mine) m(key) on m.key = u.key
    where u.key is null or u.turn = 1 and m.key is not null;
    -- Looks for the queue, also where nothing is to be stored.
    if patience is null and cardinality(fresh) > 0 then
        fresh_ids := {schema}.pgqrs_enqueue_telling(queue, fresh, delay, worker);
    else
        fresh_ids := {schema}.pgqrs_enqueue(queue, fresh, delay, worker, at);
    end if;
    -- By the primary key, as ON CONFLICT always is.
    with put as (
        insert into {schema}.pgqrs_dedup as d (queue_id, dedup_key, message_id, expires_at)
        select queue, u.key, n.id, moment + lasting
        from unnest(places, fresh_ids) n(i, id) join unnest(keys) with ordinality u(key, i) using (i)
        where u.key is not null
        on conflict (queue_id, dedup_key) do update set message_id = excluded.message_id, expires_at = excluded.expires_at
        returning d.dedup_key, d.message_id
    )
    select taken || array_agg(p.dedup_key), taken_by || array_agg(p.message_id) into taken, taken_by from put p;
    return array(
        select coalesce(n.id, -t.id)
        from unnest(keys) with ordinality u(key, i)
        left join unnest(places, fresh_ids) n(i, id) using (i)
        left join unnest(taken, taken_by) t(key, id) on t.key = u.key
        order by u.i);
end
$body$;

-- One message with its key. Only pgqrs_enqueue_keyed calls it, which tells what is
-- locked, and in which order.
create function {schema}.pgqrs_enqueue_with_key(
    queue bigint, payloads json[], key text, delay interval, lasting interval, worker bigint, at timestamptz, telling boolean)
returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
declare
    moment    timestamptz;
    holder    bigint;
    locked    boolean := false;
    fresh_ids bigint[];
begin
    loop
        moment := coalesce(at, clock_timestamp());
        -- A new statement, and so a fresh snapshot.
        select d.message_id into holder
        from {schema}.pgqrs_dedup d
        where d.queue_id = queue and d.dedup_key = key
          and case when d.expires_at is null then {schema}.pgqrs_lives(queue, d.message_id)
                   else d.expires_at > moment end;
        if found then
            return array[-holder];
        end if;
        exit when locked;
        insert into {schema}.pgqrs_dedup as d (queue_id, dedup_key, message_id) values (queue, key, 0)
        on conflict (queue_id, dedup_key) do update set message_id = 0 where false;
        exit when found;
        locked := true;
    end loop;
    if telling then
        fresh_ids := {schema}.pgqrs_enqueue_telling(queue, payloads, delay, worker);
    else
        fresh_ids := {schema}.pgqrs_enqueue(queue, payloads, delay, worker, at);
    end if;
    update {schema}.pgqrs_dedup d set message_id = fresh_ids[1], expires_at = moment + lasting
    where d.queue_id = queue and d.dedup_key = key;
    return fresh_ids;
end
$body$;

-- pgqrs_produce_tx with keys, which are taken as long as the messages live, or for
-- dedup_us where that is not 0. The answer is that of pgqrs_enqueue_keyed.
create function {schema}.pgqrs_produce_keyed_tx(
    of_store uuid, queue text, payloads json[], dedup_keys text[], dedup_us bigint, delay_us bigint, worker bigint,
    make_queue boolean)
returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
declare
    lasting interval := nullif(dedup_us, 0) * interval '1 microsecond';
begin
    perform {schema}.pgqrs_check_identity(of_store);
    perform {schema}.pgqrs_check_keys(payloads, dedup_keys, lasting);
    return {schema}.pgqrs_enqueue_keyed(
        {schema}.pgqrs_queue_of_tx(queue, make_queue), payloads, dedup_keys, delay_us * interval '1 microsecond',
        lasting, nullif(worker, 0));
end
$body$;

-- Refuses keys that cannot be: SQLSTATE 22023.
create function {schema}.pgqrs_check_keys(payloads json[], dedup_keys text[], dedup_for interval)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
begin
    if cardinality(payloads) is distinct from cardinality(dedup_keys) then
        raise exception 'there must be a dedup_key for each payload, or null where it has none' using errcode = '22023';
    end if;
    if exists (select from unnest(dedup_keys) k(key) where char_length(k.key) not between 1 and 255) then
        raise exception 'a dedup_key has 1 to 255 characters; use a digest of a longer one' using errcode = '22023';
    end if;
    if dedup_for <= '0' or dedup_for > '10 years' then
        raise exception 'dedup_for must be more than 0, and at most 10 years' using errcode = '22023';
    end if;
end
$body$;

-- pgqrs_produce_batch for payloads of which some have a key (null: none): unique in the
-- queue as long as the message lives or, with dedup_for, for that time from now. One row
-- for each payload, in order: the id of the message that was stored; or that of the
-- message that has the key already, and deduplicated.
create function {schema}.pgqrs_produce_keyed(
    queue text, payloads json[], dedup_keys text[], delay interval default '0', dedup_for interval default null)
returns table (id bigint, deduplicated boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform {schema}.pgqrs_check_payloads(queue, payloads, delay);
    perform {schema}.pgqrs_check_keys(payloads, dedup_keys, dedup_for);
    if cardinality(payloads) > 0 then
        return query select abs(n.id), n.id < 0
        from unnest({schema}.pgqrs_enqueue_keyed({schema}.pgqrs_queue_hold(queue), payloads, dedup_keys, delay, dedup_for)) n(id);
    end if;
end
$body$;

-- Deletes keys that are of no use any more: their time is over, or their message does
-- not live. Looks at `most` of them, in the order of the primary key, from behind
-- (after_queue, after_key) on, and says how many it has seen and deleted, and where to
-- go on: after_queue is null when it has seen all, or somebody else sweeps just then.
--
-- A message that has ended stays so, so what one snapshot shows is enough, unless the
-- key has gone to another message since: that is looked for behind the row's lock.
-- Waits for nobody.
create function {schema}.pgqrs_dedup_sweep(
    inout after_queue bigint, inout after_key text, most integer default 1000, at timestamptz default null,
    out seen integer, out swept integer)
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set max_parallel_workers_per_gather = 0
set plan_cache_mode = force_generic_plan
as $body$
declare
    moment timestamptz := coalesce(at, clock_timestamp());
begin
    if not pg_try_advisory_xact_lock(hashtextextended($name${schema}.pgqrs_dedup$name$, 0)) then
        seen := 0;
        swept := 0;
        after_queue := null;
        return;
    end if;
    with looked as materialized (
        select d.* from {schema}.pgqrs_dedup d
        where (d.queue_id, d.dedup_key) > (after_queue, after_key)
        order by d.queue_id, d.dedup_key
        limit most
    ), useless as materialized (
        select l.* from looked l
        where case when l.expires_at is null then not {schema}.pgqrs_lives(l.queue_id, l.message_id)
                   else l.expires_at <= moment end
    ), gone as (
        delete from {schema}.pgqrs_dedup d
        where d.ctid = any (array(
            select k.ctid from useless u, lateral (
                select k.ctid from {schema}.pgqrs_dedup k
                where k.queue_id = u.queue_id and k.dedup_key = u.dedup_key
                  and k.message_id = u.message_id and k.expires_at is not distinct from u.expires_at
                for update skip locked
            ) k))
        returning d.queue_id
    )
    select (select count(*) from looked), (select count(*) from gone), z.queue_id, z.dedup_key
    into seen, swept, after_queue, after_key
    from (values (1)) one
    left join (select l.queue_id, l.dedup_key from looked l order by 1 desc, 2 desc limit 1) z on true;
    if seen < most then
        after_queue := null;
    end if;
end
$body$;

-- Deletes up to `most` keys of a queue whose message is not even in the log any more:
-- after a purge, those that it ended and those that were deleted before; and returns how
-- many. Passes over keys that somebody is taking.
create function {schema}.pgqrs_dedup_purge(queue bigint, most integer default 1000)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $body$
declare
    removed bigint;
begin
    with gone as (
        delete from {schema}.pgqrs_dedup d
        where d.ctid = any (array(
            select k.ctid from {schema}.pgqrs_dedup k
            where k.queue_id = queue and not exists (
                select from {schema}.pgqrs_log l where l.id = k.message_id and l.queue_id = queue
                offset 0)
            order by k.queue_id, k.dedup_key
            limit most
            for update skip locked))
        returning d.queue_id
    )
    select count(*) into removed from gone g;
    return removed;
end
$body$;

update {schema}.pgqrs_schema set version = 9, compatible_from = 9, upgraded_at = now();
