drop view if exists {schema}.pgqrs_metrics;
drop function if exists {schema}.pgqrs_live(bigint, timestamptz);
drop function if exists {schema}.pgqrs_fold(integer);
update {schema}.pgqrs_schema set version = 6, compatible_from = 6, upgraded_at = now();
