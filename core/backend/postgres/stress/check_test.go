package stress

import (
	"testing"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// whole is a history in which everything happens that may.
func whole(s *story) {
	s.produce(0, 1, 2, 3, 4, 5, 6, 7)
	s.dequeue(10, 100, 50, 1, 1, 2, 3, 4, 5, 6)
	s.settle(GiveBack, 20, 100, true, 2)
	s.extend(20, 100, 3, 500)
	s.archive(30, 100, 1, 1)
	s.dequeue(40, 101, 50, 1, 2)
	s.remove(50, 101, 2)
	s.settle(Archive, 60, 100, false, 1, 2)
	s.dequeue(70, 102, 50, 2, 4, 5)
	s.settle(Release, 80, 102, true, 4).Delay = 20 * time.Millisecond
	s.settle(Archive, 90, 100, false, 4)
	s.settle(Extend, 90, 102, false, 4)
	s.dequeue(110, 103, 1000, 3, 4)
	s.row("", 100, 1, 3)
	s.row("", 103, 3, 4)
	s.row("dead", 102, 2, 5)
	s.archive(200, 100, 1, 6) // expired, and nobody took it
	s.row("", 0, 0, 7)
}

func TestAHistoryThatCanBeHasNoFault(t *testing.T) {
	for _, c := range []struct {
		name string
		tell func(s *story)
	}{
		{"everything that may happen", whole},
		{"a lost dequeue", func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 5, 1, 1)
			s.lose(20)
			s.settle(Archive, 30, 100, false, 1)
			s.dequeue(100, 101, 5, 3, 1)
			s.row("", 101, 3, 1)
		}},
		{"a lost dequeue that was not carried out", func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 5, 1, 1)
			s.lose(20)
			s.dequeue(100, 101, 5, 2, 1)
			s.row("", 101, 2, 1)
		}},
		{"a lease that a crash forgot", func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 5000, 1, 1)
			s.crash(100)
			s.dequeue(700, 101, 5000, 1, 1)
			s.settle(Archive, 800, 100, false, 1)
			s.row("", 101, 1, 1)
		}},
		{"a lease that a crash did not forget", func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 600, 1, 1)
			s.crash(100)
			s.dequeue(700, 101, 5000, 2, 1)
			s.row("", 101, 2, 1)
		}},
		{"an extension when a crash has forgotten the next lease", func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 20, 1, 1)
			s.dequeue(50, 101, 50, 2, 1)
			s.crash(100)
			s.extend(700, 100, 1, 5000)
			s.row("", 100, 1, 1)
		}},
		{"a give back when a crash has forgotten the next lease", func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 20, 1, 1)
			s.dequeue(50, 101, 50, 2, 1)
			s.crash(100)
			s.settle(GiveBack, 700, 100, true, 1)
			s.dequeue(710, 102, 5000, 1, 1)
			s.row("", 102, 1, 1)
		}},
		{"a lost release that was carried out", func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 5000, 1, 1)
			s.settle(GiveBack, 20, 100, false, 1).Lost = true
			s.dequeue(30, 101, 5000, 1, 1)
			s.settle(Archive, 40, 100, false, 1)
			s.row("", 101, 1, 1)
		}},
		{"a lost delete that was carried out", func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 5000, 1, 1)
			s.settle(Delete, 20, 100, false, 1).Lost = true
			delete(s.s.Log, 1)
		}},
		{"a lost produce that was carried out", func(s *story) {
			s.lostProduce(0, 2)
			s.dequeue(10, 100, 5000, 1, 1)
			s.logged(1, 1, 2)
			s.row("", 100, 1, 1)
			s.row("", 0, 0, 2)
		}},
		{"a lost produce that was not carried out", func(s *story) { s.lostProduce(0, 2) }},
		{"an archive that was asked twice", func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 50, 1, 1)
			s.settle(Archive, 20, 100, true, 1)
			s.h.AddSettle(call(Archive, 19), []Settled{{Lease: 100, ID: 1, Held: true, Before: true}})
			s.row("archived", 100, 1, 1)
		}},
		{"deletions by id", func(s *story) {
			s.produce(0, 1, 2, 3)
			s.dequeue(10, 100, 5000, 1, 1)
			s.dequeue(12, 101, 5, 1, 2)
			s.seize(DeleteByID, 50, 1, backend.StateLeased, false)
			s.seize(DeleteByID, 60, 1, backend.StateLeased, true)
			s.settle(Archive, 70, 100, false, 1)
			s.seize(DeleteByID, 70, 2, backend.StateReady, true)
			s.settle(Archive, 80, 101, false, 2)
			s.seize(DeleteByID, 80, 1, "", false)
			s.seize(DeleteByID, 80, 3, backend.StateReady, true)
		}},
		{"releases by id", func(s *story) {
			s.produce(0, 1, 2, 3).Delay = 20 * time.Millisecond
			s.seize(ReleaseByID, 5, 1, backend.StateDelayed, true)
			s.dequeue(10, 100, 5000, 1, 1)
			s.seize(ReleaseByID, 15, 1, backend.StateLeased, true)
			s.settle(Archive, 20, 100, false, 1)
			s.dequeue(25, 101, 5000, 2, 1)
			s.seize(ReleaseByID, 30, 2, backend.StateReady, true)
			s.settle(Release, 40, 101, true, 1).Delay = time.Second
			s.seize(ReleaseByID, 50, 1, backend.StateDelayed, true)
			s.dequeue(60, 102, 5000, 3, 1)
			s.row("", 102, 3, 1)
			s.row("", 0, 0, 2, 3)
		}},
		{"a lost deletion by id that was carried out", func(s *story) {
			s.produce(0, 1)
			s.seize(DeleteByID, 10, 1, "", false).Lost = true
			delete(s.s.Log, 1)
		}},
		{"a purge", func(s *story) {
			s.produce(0, 1, 2, 3)
			s.dequeue(10, 100, 5000, 1, 1, 2)
			s.archive(15, 100, 1, 1)
			s.purge(20)
			delete(s.s.Log, 2)
			delete(s.s.Log, 3)
			s.settle(Archive, 30, 100, false, 2)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tell(c.tell)
			for _, f := range s.h.Check(&s.s) {
				t.Errorf("%v\n%s", f, s.h.Tell(f.ID))
			}
		})
	}
}
