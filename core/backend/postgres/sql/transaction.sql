-- What stands around a function call, in the same round trip.

-- READ COMMITTED whatever the database's default is: the functions lock first
-- and then take the values of the locked rows.
-- name: begin
begin isolation level read committed

-- name: commit
commit

-- name: rollback
rollback

-- Behind a pooler this is not the process that the client was told of.
-- name: backend_process
select pg_backend_pid()
