drop function if exists {schema}.pgqrs_dequeue(bigint, integer, interval, bigint, integer, timestamptz, timestamptz, interval);
drop function if exists {schema}.pgqrs_forget_missing(bigint, bigint);
drop function if exists {schema}.pgqrs_first_ids(int8multirange, integer);
update {schema}.pgqrs_schema set version = 3, compatible_from = 3, upgraded_at = now();
