-- What stands around a function call, in the same round trip.

-- READ COMMITTED whatever the database's default is: the functions lock first
-- and then take the values of the locked rows.
-- name: begin
begin isolation level read committed

-- For the dequeue alone: a lease that a crash of the server forgets means
-- redelivery, which at-least-once allows. Set here and not in the function,
-- because inside somebody's transaction it would make their commit weak too.
-- name: commit_softly
set local synchronous_commit = off

-- name: commit
commit

-- name: rollback
rollback
