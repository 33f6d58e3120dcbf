drop function {schema}.pgqrs_merge(bigint, timestamptz, interval, integer, timestamptz);
drop function {schema}.pgqrs_produce(text, json, interval);
drop function {schema}.pgqrs_produce_batch(text, json[], interval);
drop function {schema}.pgqrs_queue_ensure(text);
drop function {schema}.pgqrs_enqueue(bigint, json[], interval, bigint, timestamptz);
drop function {schema}.pgqrs_pack(bigint[]);
update {schema}.pgqrs_schema set version = 2, compatible_from = 2, upgraded_at = now();
