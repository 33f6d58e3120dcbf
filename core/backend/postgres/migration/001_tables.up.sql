-- Queues, the log of messages, and the spans that say what becomes of them.
--
-- A message is written once and never updated. Its delivery state is kept in
-- spans: sets of message ids of one queue that share one fate (ready, delayed,
-- leased). Acknowledged and dead sets are rows of pgqrs_done.
-- docs/adr/0001-log-and-spans.md tells why.

-- One row: what this schema is, and who can use it. A library of version v may
-- use a schema whose compatible_from is v or less. identity names the schema
-- over renames, and is what the notification channel is called after.
create table {schema}.pgqrs_schema (
    singleton       boolean     primary key default true check (singleton),
    identity        uuid        not null default gen_random_uuid(),
    version         integer     not null,
    compatible_from integer     not null,
    upgraded_at     timestamptz not null default now()
);

insert into {schema}.pgqrs_schema (version, compatible_from) values (1, 1);

-- Names compare byte by byte, whatever the database's collation is. A setting that
-- is null leaves the matter to whoever dequeues (default_vt, max_read_ct), or has no
-- end (retention).
create table {schema}.pgqrs_queues (
    id           bigint generated always as identity primary key,
    queue_name   text collate "C" not null unique check (char_length(queue_name) between 1 and 255),
    created_at   timestamptz not null default now(),
    paused_at    timestamptz,
    default_vt   interval check (default_vt between '100 ms' and '7 days'),
    max_read_ct  integer  check (max_read_ct between 0 and 1000000),
    retention    interval check (retention >= '0'),
    -- When a message that failed comes again: at its vt (none), retry_base after the
    -- failure (fixed), or that doubled with each delivery up to retry_max
    -- (exponential); less a random part of it, of at most retry_jitter.
    retry_kind   text     not null default 'none' check (retry_kind in ('none', 'fixed', 'exponential')),
    retry_base   interval not null default '0' check (retry_base >= '0'),
    retry_max    interval not null default '0' check (retry_max >= '0'),
    retry_jitter float8   not null default 0 check (retry_jitter between 0 and 1)
);

-- One row per message, insert only. payload is json, not jsonb: the text is
-- kept to the byte (docs/adr/0003-json-not-jsonb.md). The sequence has cache 1,
-- so that a later produce has a higher id. Frozen at the first vacuum, because
-- rows are not touched again: the heap is rewritten once.
create table {schema}.pgqrs_log (
    id                 bigint generated always as identity (cache 1),
    queue_id           bigint      not null,
    enqueued_at        timestamptz not null,
    producer_worker_id bigint,
    payload            json        not null,
    primary key (id, queue_id)
) with (fillfactor = 100, autovacuum_freeze_min_age = 0, toast.autovacuum_freeze_min_age = 0);

-- The hot table. lease is 0 for what nobody holds; it is the fence of every
-- settling operation (docs/adr/0002-lease-fence.md). since is the place in line
-- to which the messages go back when they were not delivered. lo and hi bound
-- the ids; they stay when ids are taken out, so that the update is HOT.
--
-- Here and in pgqrs_done n is 1 to 250, hi - lo at most 4095, and ids lie between lo
-- and hi. No CHECK says so: its expression is read anew by each statement that
-- inserts, which cost a quarter of storing one message. Only the functions write
-- here, and the tests hold them to it.
create table {schema}.pgqrs_spans (
    queue_id           bigint         not null,
    lease              bigint         not null default 0,
    id                 bigint         generated always as identity (cache 16),
    vt                 timestamptz    not null,
    since              timestamptz    not null,
    read_ct            integer        not null default 0,
    consumer_worker_id bigint,
    dequeued_at        timestamptz,
    n                  integer        not null,
    lo                 bigint         not null,
    hi                 bigint         not null,
    ids                int8multirange not null,
    primary key (queue_id, lease, id)
) with (
    fillfactor = 70,
    -- Rows come and go fast; vacuum must follow, and must not lock to truncate.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    vacuum_truncate = false
);

-- Where statistics are taken while nothing is leased, all leases are 0, and the
-- planner would take looking one up for a walk along the whole queue.
alter table {schema}.pgqrs_spans alter column lease set (n_distinct = -1);

-- The walk of a dequeue: by vt, then by the last id, which stays true while
-- messages are taken off the front of a row (docs/adr/0004-place-in-line.md).
create index pgqrs_spans_ready on {schema}.pgqrs_spans (queue_id, vt, hi);
-- A message by its id: lo in (id - 4096, id].
create index pgqrs_spans_lookup on {schema}.pgqrs_spans (queue_id, lo, hi);

-- One row per set of messages that was archived, or is dead. lease is the
-- delivery that archived them: it answers a question asked again. outcome is
-- 'archived' or 'dead'. The primary key is the lookup by message id too.
create table {schema}.pgqrs_done (
    queue_id           bigint         not null,
    id                 bigint         generated always as identity (cache 16),
    lease              bigint         not null,
    outcome            text collate "C" not null,
    archived_at        timestamptz    not null,
    dequeued_at        timestamptz,
    consumer_worker_id bigint,
    read_ct            integer        not null,
    vt                 timestamptz    not null,
    n                  integer        not null,
    lo                 bigint         not null,
    hi                 bigint         not null,
    ids                int8multirange not null,
    primary key (queue_id, lo, hi, id)
) with (autovacuum_freeze_min_age = 0);

-- The archive and the dead letters by time: their newest first, and what has been kept
-- for long enough.
create index pgqrs_done_time on {schema}.pgqrs_done (queue_id, outcome, archived_at);

-- The deliveries that were not settled by archive or delete, one row each: the handler
-- failed (error), the holder gave the message back (released), or its lease ran out
-- (expired). With the message's row in pgqrs_done, which tells of the last delivery, that
-- is its history. A message that is archived at its first delivery has no row here. The
-- primary key serves the lookup by message.
create table {schema}.pgqrs_attempts (
    queue_id           bigint      not null,
    message_id         bigint      not null,
    lease              bigint      not null,
    attempt            integer     not null, -- read_ct of that delivery
    consumer_worker_id bigint,
    started_at         timestamptz not null,
    ended_at           timestamptz not null,
    outcome            text collate "C" not null check (outcome in ('failed', 'released', 'expired')),
    error              text,
    primary key (queue_id, message_id, lease)
);

-- Of a message's attempts the newest hundred are kept. It may be given back without end.
create function {schema}.pgqrs_trim_attempts()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
as $body$
begin
    if exists (select from added n where n.attempt > 100) then
        delete from {schema}.pgqrs_attempts a
        where a.ctid = any (array(
            select o.ctid from added n, lateral (
                select k.ctid from {schema}.pgqrs_attempts k
                where k.queue_id = n.queue_id and k.message_id = n.message_id and k.attempt <= n.attempt - 100
                offset 0
            ) o
            where n.attempt > 100));
    end if;
    return null;
end
$body$;

create trigger pgqrs_attempts_trim
    after insert on {schema}.pgqrs_attempts
    referencing new table as added
    for each statement execute function {schema}.pgqrs_trim_attempts();

-- What was done with the messages of a queue, for counters that need not count the
-- messages (docs/adr/0041-counters.md). Each call that produces, settles, or removes
-- what is done writes a row to pgqrs_tally, which has no index and is never updated,
-- so that it costs next to nothing and no call waits for another. pgqrs_fold adds the
-- rows up into pgqrs_totals and pgqrs_rates, and deletes them. So the counters are
-- totals and tally together, at any moment, and a transaction that commits late is
-- counted late.
--
-- archived and dead are how many are kept: less what was removed or replayed. produced
-- and acked (archived or deleted by whoever held the lease) only grow.
create table {schema}.pgqrs_tally (
    queue_id bigint      not null,
    at       timestamptz not null,
    produced integer     not null default 0,
    acked    integer     not null default 0,
    archived integer     not null default 0,
    dead     integer     not null default 0
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, vacuum_truncate = false);

create table {schema}.pgqrs_totals (
    queue_id bigint primary key,
    produced bigint not null,
    acked    bigint not null,
    archived bigint not null,
    dead     bigint not null
) with (fillfactor = 50);

-- The same for each ten seconds of the last ten minutes.
create table {schema}.pgqrs_rates (
    queue_id bigint      not null,
    at       timestamptz not null, -- a multiple of ten seconds
    produced bigint      not null,
    acked    bigint      not null,
    primary key (queue_id, at)
) with (fillfactor = 50);

-- Which queues have live listeners (until is in the future), and whether any
-- of them is asleep. Lost in a crash, as the listeners' connections are.
create unlogged table {schema}.pgqrs_waiting (
    queue_id bigint      primary key,
    asleep   boolean     not null,
    until    timestamptz not null
) with (fillfactor = 50);

-- One row per Producer or Consumer object.
create table {schema}.pgqrs_workers (
    id           bigint generated always as identity primary key,
    name         text        not null,
    queue_id     bigint      not null,
    hostname     text        not null,
    port         integer     not null,
    status       text        not null default 'ready'
                 check (status in ('ready', 'polling', 'suspended', 'interrupted', 'stopped')),
    started_at   timestamptz not null,
    heartbeat_at timestamptz not null,
    shutdown_at  timestamptz
) with (fillfactor = 70);
create index pgqrs_workers_queue on {schema}.pgqrs_workers (queue_id, id);
-- What is purged. A heartbeat changes no column of an index, so that it is HOT.
create index pgqrs_workers_stopped on {schema}.pgqrs_workers (shutdown_at) where shutdown_at is not null;

-- The lower ten bits of a lease number; the clock gives the others.
create sequence {schema}.pgqrs_lease as bigint minvalue 0 maxvalue 1023 start 0 cycle cache 16;
