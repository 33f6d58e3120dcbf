-- What is in the schema public, as text; by names and by what the catalog says
-- alike in all server versions.
select line from (
    select 1 as part, c.relname::text as name, 0 as position,
           format(E'%s %I%s;\n', case c.relkind when 'v' then 'view' when 'S' then 'sequence' else case c.relpersistence when 'u' then 'unlogged table' else 'table' end end,
                  c.relname, coalesce(' with (' || (select string_agg(o, ', ' order by o) from unnest(c.reloptions) o) || ')', '')) as line
    from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'S')
    union all
    select 1, c.relname, a.attnum,
           format(E'    %s %s%s%s%s%s;\n', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
                  case when a.attnotnull then ' not null' else '' end,
                  case a.attidentity when 'a' then ' generated always as identity' else '' end,
                  coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), ''),
                  coalesce(' set (' || array_to_string(a.attoptions, ', ') || ')', ''))
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v') and a.attnum > 0
    union all
    select 2, r.relname || ' ' || n.conname, 0, format(E'constraint %s on %s: %s;\n', n.conname, r.relname, pg_get_constraintdef(n.oid))
    from pg_constraint n join pg_class r on r.oid = n.conrelid
    where n.connamespace = 'public'::regnamespace and n.contype <> 'n'
    union all
    select 3, indexrelid::regclass::text, 0, pg_get_indexdef(indexrelid) || E';\n'
    from pg_index i join pg_class c on c.oid = i.indexrelid where c.relnamespace = 'public'::regnamespace
    union all
    select 4, p.oid::regprocedure::text, 0,
           format(E'function %s(%s) returns %s %s;\n%s', p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
                  case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
                  (select string_agg(format(E'    set %s;\n', o), '' order by o) from unnest(p.proconfig) o))
    from pg_proc p where p.pronamespace = 'public'::regnamespace
    union all
    select 5, seqrelid::regclass::text, 0,
           format(E'%s: from %s to %s, cache %s%s;\n', seqrelid::regclass, seqmin, seqmax, seqcache, case when seqcycle then ', cycle' else '' end)
    from pg_sequence s join pg_class c on c.oid = s.seqrelid where c.relnamespace = 'public'::regnamespace
) lines
order by part, name collate "C", position
