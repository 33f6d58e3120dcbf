drop function if exists {schema}.pgqrs_expire_done(integer, timestamptz);
drop function if exists {schema}.pgqrs_delete_done(bigint, bigint[]);
drop function if exists {schema}.pgqrs_replay(bigint, bigint[], timestamptz);
drop function if exists {schema}.pgqrs_take_done(bigint, bigint[]);
drop function if exists {schema}.pgqrs_archive_page(bigint, text[], bigint, timestamptz, timestamptz, timestamptz, bigint, integer);
update {schema}.pgqrs_schema set version = 7, compatible_from = 7, upgraded_at = now();
