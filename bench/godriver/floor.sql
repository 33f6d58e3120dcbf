-- The log of pgqrs as a bare table: no spans, no functions around it.
create table if not exists bare_log (
    id                 bigint generated always as identity (cache 1),
    queue_id           bigint      not null,
    enqueued_at        timestamptz not null,
    producer_worker_id bigint,
    payload            json        not null,
    primary key (id, queue_id)
) with (fillfactor = 100, autovacuum_freeze_min_age = 0, toast.autovacuum_freeze_min_age = 0);
