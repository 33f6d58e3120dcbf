-- The row model: one row per message, updated when it is leased, moved when it is
-- archived. What pgmq and the like do, each with the same payload as pgqrs.
--
-- The index holds what is ready and nothing else, so that a lease costs no entry
-- in it. Leases that ran out need a sweeper then, which is not part of the
-- measurement: all of this is in favour of the model.
create table if not exists row_messages (
    id                 bigint generated always as identity primary key,
    queue_id           bigint      not null,
    vt                 timestamptz not null,
    enqueued_at        timestamptz not null,
    read_ct            integer     not null default 0,
    dequeued_at        timestamptz,
    consumer_worker_id bigint,
    payload            json        not null
);
create index if not exists row_messages_ready on row_messages (queue_id, vt, id) where consumer_worker_id is null;

create table if not exists row_archive (
    id                 bigint      primary key,
    queue_id           bigint      not null,
    vt                 timestamptz not null,
    enqueued_at        timestamptz not null,
    read_ct            integer     not null,
    dequeued_at        timestamptz,
    consumer_worker_id bigint,
    archived_at        timestamptz not null,
    payload            json        not null
);
