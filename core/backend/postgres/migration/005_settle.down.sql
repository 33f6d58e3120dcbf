drop function {schema}.pgqrs_purge(bigint, bigint, integer);
drop function {schema}.pgqrs_release(bigint, bigint[], bigint[], bigint[], boolean, interval, timestamptz);
drop function {schema}.pgqrs_extend_vt(bigint, bigint[], bigint[], bigint[], interval, boolean, timestamptz);
drop function {schema}.pgqrs_delete(bigint, bigint[], bigint[], bigint[]);
drop function {schema}.pgqrs_archive(bigint, bigint[], bigint[], bigint[], boolean, timestamptz);
drop function {schema}.pgqrs_take(bigint, bigint[], bigint[], bigint[]);
update {schema}.pgqrs_schema set version = 4, compatible_from = 4, upgraded_at = now();
