-- Roles with the least rights that their work needs.

-- Gives the statements that grant, in their order: what the roles have is taken away
-- first, and the owner changes last. The functions run with the caller's rights, so the
-- rights on the tables decide. A column in brackets is for what a lock (for key share) or
-- `returning` asks a right for.
-- name: role_grants
with asked(kind, role) as (
    select * from unnest($1::text[], $2::text[])
), target(schema) as (
    values ($name${schema}$name$)
), rights(kind, privileges, object) as (values
    ('viewer',   'select',                             'table pgqrs_schema'),
    ('viewer',   'select',                             'table pgqrs_queues'),
    ('viewer',   'select',                             'table pgqrs_log'),
    ('viewer',   'select',                             'table pgqrs_spans'),
    ('viewer',   'select',                             'table pgqrs_done'),
    ('viewer',   'select',                             'table pgqrs_attempts'),
    ('viewer',   'select',                             'table pgqrs_waiting'),
    ('viewer',   'select',                             'table pgqrs_workers'),
    ('viewer',   'select',                             'table pgqrs_messages'),
    ('viewer',   'select',                             'table pgqrs_archive'),
    ('viewer',   'select',                             'table pgqrs_tally'),
    ('viewer',   'select',                             'table pgqrs_totals'),
    ('viewer',   'select',                             'table pgqrs_rates'),
    ('viewer',   'select',                             'table pgqrs_metrics'),
    ('viewer',   'select',                             'table pgqrs_dedup'),
    ('producer', 'select',                             'table pgqrs_schema'),
    ('producer', 'select, insert, update (created_at)', 'table pgqrs_queues'),
    ('producer', 'insert, select (id)',                'table pgqrs_log'),
    ('producer', 'insert, select (queue_id, lo, hi, ids)', 'table pgqrs_spans'),
    ('producer', 'insert',                             'table pgqrs_tally'),
    ('producer', 'select, insert, update',             'table pgqrs_dedup'),
    ('producer', 'select, update',                     'table pgqrs_waiting'),
    ('producer', 'select, insert, update, delete',     'table pgqrs_workers'),
    ('producer', 'usage',                              'sequence pgqrs_workers_id_seq'),
    ('consumer', 'select',                             'table pgqrs_schema'),
    ('consumer', 'select, insert, update (created_at)', 'table pgqrs_queues'),
    ('consumer', 'select, delete',                     'table pgqrs_log'),
    ('consumer', 'select, insert, update, delete',     'table pgqrs_spans'),
    ('consumer', 'select, insert, update, delete',     'table pgqrs_done'),
    ('consumer', 'select, insert, delete',             'table pgqrs_attempts'),
    ('consumer', 'select, update (message_id), delete', 'table pgqrs_dedup'),
    ('consumer', 'select, insert, delete',             'table pgqrs_tally'),
    ('consumer', 'select, insert, update',             'table pgqrs_totals'),
    ('consumer', 'select, insert, update, delete',     'table pgqrs_rates'),
    ('consumer', 'select, insert, update',             'table pgqrs_waiting'),
    ('consumer', 'select, insert, update, delete',     'table pgqrs_workers'),
    ('consumer', 'usage',                              'sequence pgqrs_workers_id_seq'),
    ('consumer', 'usage',                              'sequence pgqrs_lease')
), statements(step, statement) as (
    select 1, format('revoke all on %s %s.%I from %I', split_part(r.object, ' ', 1), t.schema, split_part(r.object, ' ', 2), a.role)
    from target t, (select distinct object from rights) r, (select distinct role from asked) a
    union all
    select 2, format('grant usage on schema %s to %I', t.schema, a.role)
    from target t, (select distinct role from asked) a
    union all
    select 3, format('grant %s on %s %s.%I to %I', r.privileges, split_part(r.object, ' ', 1), t.schema, split_part(r.object, ' ', 2), a.role)
    from target t, asked a join rights r using (kind)
    union all
    select 4, format('grant create on schema %s to %I', t.schema, a.role)
    from target t, asked a where a.kind = 'owner'
    union all -- what belongs to a column goes with its table
    select 5, format('alter %s %s.%I owner to %I', case c.relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end, t.schema, c.relname, a.role)
    from target t, asked a, pg_class c
    where a.kind = 'owner' and c.relnamespace = t.schema::regnamespace and c.relname like 'pgqrs\_%' and c.relkind in ('r', 'p', 'v', 'S')
      and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i') and c.relkind = 'S')
    union all
    select 5, format('alter function %s.%I(%s) owner to %I', t.schema, p.proname, pg_get_function_identity_arguments(p.oid), a.role)
    from target t, asked a, pg_proc p
    where a.kind = 'owner' and p.pronamespace = t.schema::regnamespace and p.proname like 'pgqrs\_%'
)
select statement from statements order by step, statement
