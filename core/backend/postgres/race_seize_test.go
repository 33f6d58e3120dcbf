package postgres_test

import (
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Who settles a message by its id, and who leases it or settles its delivery: one comes
// first, and the other finds what that left.
var seizingRaces = []raceTest{
	{"a deletion by id waits for a dequeue, and does not touch what that leased", seizureWaitsForDequeue},
	{"a deletion by id that waits for a dequeue that is rolled back deletes", seizureAfterRollback},
	{"a dequeue passes over a message that is being deleted by id, and over its set", dequeuePassesOverSeizure},
	{"a deletion from the holder and an archive take turns", seizureOrArchive},
	{"a deletion by id sees that a lease which had run out was extended", seizureSeesExtension},
	{"a deletion by id lets go of what is leased anew before it waits for that lease", seizureLetsGo},
	{"two may delete one message by its id, and one of them does", twoSeizures},
	{"of many deletions by id and dequeues each message meets one", seizuresAmongDequeues},
}

// seize calls pgqrs_seize with the library's query; the answer is empty where there is no
// such message.
func (s *session) seize(id int64, erase, fromHolder bool) func() (seized, error) {
	return func() (a seized, err error) {
		err = s.c.QueryRow(s.r.ctx, s.r.b.Queries()["MessageSeize"], id, erase, fromHolder, nil).Scan(nil, &a.state, &a.done)
		if errors.Is(err, pgx.ErrNoRows) {
			err = nil
		}
		return a, err
	}
}

// seized is the answer of pgqrs_seize.
type seized struct {
	state backend.MessageState
	done  bool
}

func seizureWaitsForDequeue(r *race) {
	ids := r.stock(250)
	a, b := r.session(), r.session()
	a.begin()
	l := a.dequeue(dequeueing{limit: 100})
	seizure := blocked(b, b.seize(ids[50], true, false))
	a.commit()
	r.want("seized", wait(r, seizure), seized{backend.StateLeased, false})
	r.want("archived", a.archive(l.all()), []held{l.all()})
	r.wantCounts(backend.MessageCounts{Ready: 150, Archived: 100})
	r.wantSound()
}

func seizureAfterRollback(r *race) {
	ids := r.stock(250)
	a, b := r.session(), r.session()
	a.begin()
	a.dequeue(dequeueing{limit: 100})
	seizure := blocked(b, b.seize(ids[50], true, false))
	a.rollback()
	r.want("seized", wait(r, seizure), seized{backend.StateReady, true})
	r.wantCounts(backend.MessageCounts{Ready: 249})
	r.wantSound()
}

func dequeuePassesOverSeizure(r *race) {
	ids := r.stock(500) // two sets
	a, b := r.session(), r.session()
	a.begin()
	r.want("seized", must(r, a.seize(ids[0], true, false)), seized{backend.StateReady, true})
	r.want("leased", len(b.dequeue(dequeueing{limit: 500}).ids), 250)
	a.commit()
	r.want("leased then", b.dequeue(dequeueing{limit: 500}).ids, ids[1:250])
	r.wantSound()
}

func seizureOrArchive(r *race) {
	for _, first := range []string{"archive", "seizure"} {
		ids := r.stock(10)
		a, b := r.session(), r.session()
		l := a.dequeue(dequeueing{limit: 10})
		a.begin()
		if first == "archive" {
			a.archive(l.of(ids[3], ids[3]))
			seizure := blocked(b, b.seize(ids[3], true, true))
			a.commit()
			r.want("seized", wait(r, seizure), seized{backend.StateArchived, false})
			continue
		}
		r.want("seized", must(r, a.seize(ids[3], true, true)), seized{backend.StateLeased, true})
		archive := blocked(b, func() ([]held, error) { return b.trySettle("MessageArchive", []held{l.all()}, false, nil) })
		a.commit()
		r.want("archived", wait(r, archive), []held{l.of(ids[0], ids[2]), l.of(ids[4], ids[9])})
	}
	r.wantSound()
}

func seizureSeesExtension(r *race) {
	ids := r.stock(10)
	a, b := r.session(), r.session()
	l := a.dequeue(dequeueing{limit: 10, at: r.long}) // it ran out long ago
	a.begin()
	a.extend(leaseTime, l.all())
	seizure := blocked(b, b.seize(ids[3], true, false))
	a.commit()
	r.want("seized", wait(r, seizure), seized{backend.StateLeased, false})
	r.wantCounts(backend.MessageCounts{Leased: 10})
}

// seizureLetsGo: the message is leased anew between the snapshot and the lock of who
// deletes it, and the new holder has its turn already, but not yet its row.
func seizureLetsGo(r *race) {
	ids := r.stock(1)
	a, b := r.session(), r.session()
	old := a.dequeue(dequeueing{limit: 1, at: r.long}) // expired
	resume := r.pauseTake(old.lease)
	seizure := blocked(b, b.seize(ids[0], true, true))
	anew := a.dequeue(dequeueing{limit: 1})
	a.begin()
	a.exec("select pg_advisory_xact_lock($1::bigint)", anew.lease)
	resume()
	r.eventually("it waits for the new lease", func() bool { return r.waitsFor(b, a) })
	r.want("archived", a.archive(anew.all()), []held{anew.all()})
	a.commit()
	r.want("seized", wait(r, seizure), seized{backend.StateArchived, false})
	r.wantSound()
}

func twoSeizures(r *race) {
	ids := r.stock(10)
	a, b := r.session(), r.session()
	a.begin()
	r.want("seized", must(r, a.seize(ids[3], true, false)), seized{backend.StateReady, true})
	second := blocked(b, b.seize(ids[3], true, false))
	a.commit()
	r.want("seized again", wait(r, second), seized{})
	r.wantCounts(backend.MessageCounts{Ready: 9})
	r.wantSound()
}

func seizuresAmongDequeues(r *race) {
	ids := r.stock(2000)
	a, b := r.session(), r.session()
	dequeues := start(func() (leased []int64, err error) {
		for {
			l, err := a.tryDequeue(dequeueing{limit: 7})
			if leased = append(leased, l.ids...); err != nil || l.empty || len(l.ids) == 0 && l.due > 0 {
				return leased, err
			}
		}
	})
	seizures := start(func() (gone []int64, err error) {
		for i := len(ids) - 1; i >= 0; i -= 3 {
			answer, err := b.seize(ids[i], true, false)()
			if err != nil {
				return gone, err
			}
			if answer.done {
				gone = append(gone, ids[i])
			}
		}
		return gone, nil
	})
	met := make(map[int64]int)
	leased, gone := wait(r, dequeues), wait(r, seizures)
	for _, id := range append(leased, gone...) {
		met[id]++
	}
	for _, id := range ids {
		if met[id] != 1 {
			r.Fatalf("message %d was met %d times", id, met[id])
		}
	}
	r.wantCounts(backend.MessageCounts{Leased: int64(len(leased))})
	r.wantSound()
}
