-- What a schema is, and how it comes to be.

-- Locks nothing, writes nothing: all that connecting to a current schema costs.
-- name: schema_state
select version, compatible_from, identity::text from {schema}.pgqrs_schema

-- One installer at a time per schema, in this database; until commit.
-- name: schema_lock
select pg_advisory_xact_lock(hashtextextended('pgqrs schema ' || $1::text, 0))

-- Asks the catalog, since asking a missing table would end the transaction.
-- name: schema_exists
select exists (select from pg_namespace where nspname = $1::text),
       exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where n.nspname = $1::text and c.relname = 'pgqrs_schema')

-- name: schema_create
create schema {schema}
