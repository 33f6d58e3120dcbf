-- PgQ, with an empty queue "bench" and one consumer. Its extension is Debian's
-- postgresql-NN-pgq3.
create extension if not exists pgq;
select pgq.drop_queue('bench', true) from pgq.queue where queue_name = 'bench';
select pgq.create_queue('bench');
select pgq.register_consumer('bench', 'bench');
