drop sequence if exists {schema}.pgqrs_lease;
drop table if exists {schema}.pgqrs_workers, {schema}.pgqrs_waiting, {schema}.pgqrs_tally, {schema}.pgqrs_totals,
    {schema}.pgqrs_rates, {schema}.pgqrs_attempts, {schema}.pgqrs_done, {schema}.pgqrs_spans,
    {schema}.pgqrs_log, {schema}.pgqrs_queues, {schema}.pgqrs_schema;
drop function if exists {schema}.pgqrs_trim_attempts();
