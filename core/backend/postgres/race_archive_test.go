package postgres_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// What is taken out of the archive is taken once, and a set from which some were taken
// keeps the others. Nothing comes back into a queue that is being deleted.
var archiveRaces = []raceTest{
	{"two may replay one message, and one of them does", twoReplaysOfOne},
	{"two may replay different messages of one set", twoReplaysOfOneSet},
	{"a purge passes over what is being replayed", purgePassesOverReplay},
	{"a replay does not bring back what is being purged", replayWaitsForPurge},
	{"a deletion of the queue waits for a replay, and deletes that too", deletionWaitsForReplay},
	{"a deletion of the queue waits for a purge that is rolled back, and deletes that too", deletionWaitsForPurge},
	{"a deletion of the queue waits for a failure, and deletes that too", deletionWaitsForFailure},
	{"of a failure and an archive of one delivery one counts", failureOrArchive},
	{"a message that fails for the last time while it is purged is gone", failureWhilePurged},
	{"retention passes over a queue that is being deleted", retentionPassesOverDeletion},
}

// archived stocks n messages and archives them in one set for each 250.
func (r *race) archived(n int) []int64 {
	r.Helper()
	ids := r.stock(n)
	s := r.session()
	l := s.dequeue(dequeueing{limit: n})
	r.want("archived", s.archive(l.all()), []held{l.all()})
	return ids
}

// replay calls pgqrs_replay with the library's query.
func (s *session) replay(ids ...int64) func() ([]int64, error) {
	return func() (replayed []int64, err error) {
		err = s.c.QueryRow(s.r.ctx, s.r.b.Queries()["ArchiveReplay"], s.r.queue, ids, nil).Scan(&replayed)
		return replayed, err
	}
}

// purgeDone calls pgqrs_purge_done with the library's query, for all there is.
func (s *session) purgeDone() (n int64, err error) {
	err = s.c.QueryRow(s.r.ctx, s.r.b.Queries()["ArchivePurge"], s.r.queue, nil).Scan(&n)
	return n, err
}

// tryFail ends deliveries as failed, which are dead when they have been delivered as
// often as most says, and says how many were held.
func (s *session) tryFail(h held, most int) func() (int, error) {
	return func() (n int, err error) {
		var leases, ids []int64
		for id := h.lo; id <= h.hi; id++ {
			leases, ids = append(leases, h.lease), append(ids, id)
		}
		errors := slices.Repeat([]string{"boom"}, len(ids))
		zero := slices.Repeat([]time.Duration{0}, len(ids))
		tag, err := s.c.Exec(s.r.ctx, s.r.b.Queries()["MessageFail"], s.r.queue, leases, ids, ids, errors, zero, zero, most,
			nil, time.Duration(0), time.Duration(0), 0.0, nil)
		return int(tag.RowsAffected()), err
	}
}

func twoReplaysOfOne(r *race) {
	ids := r.archived(1)
	a, b := r.session(), r.session()
	a.begin()
	r.want("replayed", must(r, a.replay(ids...)), ids)
	second := blocked(b, b.replay(ids...))
	a.commit()
	r.want("replayed again", wait(r, second), []int64{})
	r.wantCounts(backend.MessageCounts{Ready: 1})
	r.wantSound()
}

func twoReplaysOfOneSet(r *race) {
	ids := r.archived(250)
	a, b := r.session(), r.session()
	a.begin()
	r.want("replayed", must(r, a.replay(ids[3], ids[7])), []int64{ids[3], ids[7]})
	second := blocked(b, b.replay(ids[7], ids[8]))
	a.commit()
	r.want("replayed by the second", wait(r, second), []int64{ids[8]})
	r.wantCounts(backend.MessageCounts{Ready: 3, Archived: 247})
	r.wantSound()
}

func purgePassesOverReplay(r *race) {
	ids := r.archived(500) // two sets
	a, b := r.session(), r.session()
	a.begin()
	must(r, a.replay(ids[0]))
	r.want("purged", must(r, b.purgeDone), int64(250))
	a.commit()
	r.wantCounts(backend.MessageCounts{Ready: 1, Archived: 249})
	r.want("purged then", must(r, b.purgeDone), int64(249))
	r.wantCounts(backend.MessageCounts{Ready: 1})
	r.wantSound()
}

func replayWaitsForPurge(r *race) {
	for _, commits := range []bool{true, false} {
		ids := r.archived(250)
		a, b := r.session(), r.session()
		a.begin()
		r.want("purged", must(r, a.purgeDone), int64(250))
		replay := blocked(b, b.replay(ids[5]))
		if commits {
			a.commit()
			r.want("replayed", wait(r, replay), []int64{})
			r.wantCounts(backend.MessageCounts{})
		} else {
			a.rollback()
			r.want("replayed", wait(r, replay), []int64{ids[5]})
			r.wantCounts(backend.MessageCounts{Ready: 1, Archived: 249})
		}
		r.wantSound()
	}
}

func deletionWaitsForReplay(r *race) {
	ids := r.archived(10)
	a, b := r.session(), r.session()
	a.begin()
	must(r, a.replay(ids...))
	deletion := blocked(b, b.deleteQueue(true))
	a.commit()
	r.want("deleted", wait(r, deletion), true)
	r.want("replayed", must(r, a.replay(ids...)), []int64{})
	r.wantGone()
}

func deletionWaitsForPurge(r *race) {
	r.archived(10)
	a, b := r.session(), r.session()
	a.begin()
	r.want("purged", must(r, a.purgeDone), int64(10))
	deletion := blocked(b, b.deleteQueue(true))
	a.rollback()
	r.want("deleted", wait(r, deletion), true)
	r.wantGone()
}

func deletionWaitsForFailure(r *race) {
	for _, most := range []int{0, 1} { // comes again, dead
		r.stock(10)
		a, b := r.session(), r.session()
		l := a.dequeue(dequeueing{limit: 10})
		a.begin()
		r.want("failed", must(r, a.tryFail(l.of(l.ids[2], l.ids[4]), most)), 3)
		deletion := blocked(b, b.deleteQueue(true))
		a.commit()
		r.want("deleted", wait(r, deletion), true)
		r.wantGone()
		q, err := r.b.QueueCreate(r.ctx, &backend.QueueCreateParams{Name: r.name()})
		r.must(err)
		r.queue = q.ID
	}
}

func failureOrArchive(r *race) {
	ids := r.stock(10)
	a, b := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 10})
	a.begin()
	r.want("failed", must(r, a.tryFail(l.of(ids[4], ids[5]), 1)), 2)
	archive := blocked(b, func() ([]held, error) { return b.trySettle("MessageArchive", []held{l.all()}, false, nil) })
	a.commit()
	r.want("archived", wait(r, archive), []held{l.of(ids[0], ids[3]), l.of(ids[6], ids[9])})
	r.want("failed then", must(r, a.tryFail(l.all(), 1)), 0)
	r.wantCounts(backend.MessageCounts{Archived: 8, Dead: 2})
	r.wantSound()
}

func failureWhilePurged(r *race) {
	r.stock(10)
	a, b := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 10})
	a.begin()
	r.want("purged", must(r, a.tryPurge), int64(10))
	failure := blocked(b, b.tryFail(l.all(), 1))
	a.commit()
	r.want("failed", wait(r, failure), 0)
	r.wantCounts(backend.MessageCounts{})
	r.want("attempts", ask[int64](&r.bench, fmt.Sprintf("select count(*) from pgqrs_attempts where queue_id = %d", r.queue)), int64(0))
	r.wantSound()
}

func retentionPassesOverDeletion(r *race) {
	r.archived(10)
	r.exec("update pgqrs_queues set retention = '0' where id = $1", r.queue)
	a, b := r.session(), r.session()
	a.begin()
	must(r, a.deleteQueue(true))
	var n int64
	r.must(b.c.QueryRow(r.ctx, r.b.Queries()["ArchiveExpire"], nil).Scan(&n))
	r.want("expired", n, int64(0))
	a.rollback()
	r.must(b.c.QueryRow(r.ctx, r.b.Queries()["ArchiveExpire"], nil).Scan(&n))
	r.want("expired then", n, int64(10))
}
