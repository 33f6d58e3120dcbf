-- What is in a schema.

-- What pgqrs has made there: what it is, and what the catalog says of it, alike in all
-- server versions and for all names of schemas. Reads the catalog alone.
-- name: schema_describe
select what, replace(replace(says, quote_ident($1::text) || '.', ''), $name${schema}.$name$, '') as says
from (
    select 1 as part, c.relname::text as name, 0 as position,
           case c.relkind when 'v' then 'view ' when 'S' then 'sequence ' else 'table ' end || c.relname as what,
           concat_ws(' ', case c.relpersistence when 'u' then 'unlogged' end,
                     (select string_agg(o, ', ' order by o) from unnest(c.reloptions) o),
                     (select format('from %s to %s, cache %s%s', s.seqmin, s.seqmax, s.seqcache, case when s.seqcycle then ', cycle' else '' end)
                      from pg_sequence s where s.seqrelid = c.oid)) as says
    from pg_class c
    where c.relnamespace = (select oid from pg_namespace where nspname = $1) and c.relkind in ('r', 'v', 'S') and c.relname like 'pgqrs\_%'
    union all
    select 1, c.relname, a.attnum, format('column %s.%s', c.relname, quote_ident(a.attname)),
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' end,
                     case a.attidentity when 'a' then 'generated always as identity' end,
                     'default ' || pg_get_expr(d.adbin, d.adrelid),
                     'set (' || array_to_string(a.attoptions, ', ') || ')')
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = (select oid from pg_namespace where nspname = $1) and c.relkind in ('r', 'v') and c.relname like 'pgqrs\_%'
      and a.attnum > 0 and not a.attisdropped
    union all
    select 2, r.relname || ' ' || n.conname, 0, format('constraint %s of %s', n.conname, r.relname), pg_get_constraintdef(n.oid)
    from pg_constraint n join pg_class r on r.oid = n.conrelid
    where n.connamespace = (select oid from pg_namespace where nspname = $1) and n.contype <> 'n' and r.relname like 'pgqrs\_%'
    union all
    select 3, c.relname, 0, 'index ' || c.relname, pg_get_indexdef(i.indexrelid) || case when i.indisvalid then '' else ' (invalid)' end
    from pg_index i join pg_class c on c.oid = i.indexrelid join pg_class r on r.oid = i.indrelid
    where c.relnamespace = (select oid from pg_namespace where nspname = $1) and r.relname like 'pgqrs\_%'
    union all
    -- The body by a digest, without the name of the schema and what quotes it.
    select 4, p.proname, 0, format('function %s(%s)', p.proname, pg_get_function_arguments(p.oid)),
           concat_ws(' ', 'returns ' || pg_get_function_result(p.oid),
                     case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
                     (select 'set ' || string_agg(o, ', ' order by o) from unnest(p.proconfig) o),
                     'body ' || md5(regexp_replace(replace(p.prosrc, $name${schema}.$name$, ''), '[$]name_*[$]', '', 'g')))
    from pg_proc p
    where p.pronamespace = (select oid from pg_namespace where nspname = $1) and p.proname like 'pgqrs\_%'
    union all
    select 5, r.relname || ' ' || g.tgname, 0, format('trigger %s of %s', g.tgname, r.relname),
           pg_get_triggerdef(g.oid) || case g.tgenabled when 'O' then '' else ' (disabled)' end
    from pg_trigger g join pg_class r on r.oid = g.tgrelid
    where r.relnamespace = (select oid from pg_namespace where nspname = $1) and r.relname like 'pgqrs\_%' and not g.tgisinternal
) lines
order by part, name collate "C", position, what collate "C"
