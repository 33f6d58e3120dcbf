drop function if exists {schema}.pgqrs_messages_page(bigint, text, bigint, integer, timestamptz);
drop view if exists {schema}.pgqrs_archive, {schema}.pgqrs_messages;
update {schema}.pgqrs_schema set version = 1, compatible_from = 1, upgraded_at = now();
