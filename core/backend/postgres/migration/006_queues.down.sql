drop function if exists {schema}.pgqrs_queue_delete(text, boolean);
drop function if exists {schema}.pgqrs_purge_done(bigint, timestamptz, integer);
update {schema}.pgqrs_schema set version = 5, compatible_from = 5, upgraded_at = now();
