package stress

import (
	"slices"
	"testing"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// leased is the begin of most stories: five messages, held by lease 100 for five
// seconds.
func leased(s *story) {
	s.produce(0, 1, 2, 3, 4, 5)
	s.dequeue(10, 100, 5000, 1, 1, 2, 3, 4, 5)
}

func TestAHistoryThatCannotBeHasItsFault(t *testing.T) {
	for _, c := range []struct {
		name string
		want []string // rules, each once
		tell func(s *story)
	}{
		{"a message in two spans", []string{"in two spans"}, func(s *story) {
			leased(s)
			s.row("", 100, 1, 1, 2, 3, 4, 5)
			s.row("", 100, 1, 3)
		}},
		{"a message live and archived", []string{"live and done"}, func(s *story) {
			leased(s)
			s.archive(20, 100, 1, 1)
			s.row("", 100, 1, 1, 2, 3, 4, 5)
		}},
		{"a message archived in two rows", []string{"done twice"}, func(s *story) {
			leased(s)
			s.row("", 100, 1, 2, 3, 4, 5)
			s.archive(20, 100, 1, 1)
			s.row("archived", 100, 1, 1)
		}},
		{"a message without payload", []string{"without payload"}, func(s *story) {
			leased(s)
			s.row("", 100, 1, 1, 2, 3, 4, 5)
			delete(s.s.Log, 3)
		}},
		{"a payload in no row", []string{"in no row", "lost"}, func(s *story) {
			leased(s)
			s.row("", 100, 1, 1, 2, 3, 4)
		}},
		{"a message that is nowhere", []string{"lost"}, func(s *story) {
			leased(s)
			s.row("", 100, 1, 1, 2, 3, 4)
			delete(s.s.Log, 5)
		}},
		{"a wrong n", []string{"wrong count"}, func(s *story) {
			leased(s)
			s.row("", 100, 1, 1, 2, 3, 4, 5)
			s.s.Rows[0].N = 4
		}},
		{"a wrong lo", []string{"wrong bounds"}, func(s *story) {
			leased(s)
			s.row("", 100, 1, 1, 2, 3, 4, 5)
			s.s.Rows[0].Lo = 2
		}},
		{"a wrong hi", []string{"wrong bounds"}, func(s *story) {
			leased(s)
			s.row("", 100, 1, 1, 2, 3, 4, 5)
			s.s.Rows[0].Hi = 4
		}},
		{"a row without messages", []string{"row without messages"}, func(s *story) {
			s.s.Rows = append(s.s.Rows, Row{Queue: 1})
		}},
		{"a row of another queue", []string{"wrong queue"}, func(s *story) {
			leased(s)
			s.row("", 100, 1, 1)
			s.s.Rows[0].Queue = 2
			s.row("", 100, 1, 2, 3, 4, 5)
		}},
		{"an archive answered true that is not done", []string{"not archived"}, func(s *story) {
			leased(s)
			s.row("", 100, 1, 1, 2, 3, 4, 5)
			s.settle(Archive, 20, 100, true, 1)
		}},
		{"an archive of another lease", []string{"not archived"}, func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 20, 1, 1)
			s.settle(Archive, 20, 100, true, 1)
			s.row("archived", 101, 1, 1)
		}},
		{"an archive that nobody asked for", []string{"archived by nobody"}, func(s *story) {
			leased(s)
			s.row("archived", 100, 1, 1)
			s.row("", 100, 1, 2, 3, 4, 5)
		}},
		{"a delivery settled twice", []string{"settled twice"}, func(s *story) {
			leased(s)
			s.archive(20, 100, 1, 1)
			s.settle(GiveBack, 21, 100, true, 1)
			s.row("", 100, 1, 2, 3, 4, 5)
		}},
		{"a lease extended behind its end", []string{"extended after it was settled"}, func(s *story) {
			leased(s)
			s.archive(20, 100, 1, 1)
			s.extend(30, 100, 1, 9000)
			s.row("", 100, 1, 2, 3, 4, 5)
		}},
		{"a lease that became shorter", []string{"lease shortened"}, func(s *story) {
			leased(s)
			s.extend(30, 100, 1, 40)
			s.row("", 100, 1, 1, 2, 3, 4, 5)
		}},
		{"two holders", []string{"two holders"}, func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 50, 1, 1)
			s.dequeue(50, 101, 50, 2, 1)
			s.row("", 101, 2, 1)
		}},
		{"two holders, not one after the other", []string{"two holders"}, func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 50, 1, 1)
			s.extend(20, 100, 1, 5000)
			s.crash(900)
			s.dequeue(850, 101, 10, 2, 1) // perhaps forgotten, and so no excuse
			s.dequeue(1500, 102, 50, 2, 1)
			s.row("", 102, 2, 1)
		}},
		{"two holders of an extended lease", []string{"two holders"}, func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 50, 1, 1)
			s.extend(20, 100, 1, 500)
			s.dequeue(100, 101, 50, 2, 1)
			s.row("", 101, 2, 1)
		}},
		{"two holders long before a crash", []string{"two holders"}, func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 50_000, 1, 1)
			s.crash(2000)
			s.dequeue(3000, 101, 50, 2, 1)
			s.row("", 101, 2, 1)
		}},
		{"a lease forgotten that was settled in part", []string{"two holders"}, func(s *story) {
			s.produce(0, 1, 2)
			s.dequeue(10, 100, 50_000, 1, 1, 2)
			s.archive(20, 100, 1, 2)
			s.crash(100)
			s.dequeue(700, 101, 50, 2, 1)
			s.row("", 101, 2, 1)
		}},
		{"one lease that delivers twice", []string{"delivered twice by one lease"}, func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 50, 1, 1)
			s.dequeue(100, 100, 50, 2, 1)
			s.row("", 100, 2, 1)
		}},
		{"a gap in the read counts", []string{"wrong read count"}, func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 50, 1, 1)
			s.dequeue(100, 101, 50, 3, 1)
			s.row("", 101, 3, 1)
		}},
		{"a read count that stands still", []string{"wrong read count"}, func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 50, 1, 1)
			s.settle(Release, 20, 100, true, 1)
			s.dequeue(100, 101, 50, 1, 1)
			s.row("", 101, 1, 1)
		}},
		{"an undelivered message that counts", []string{"wrong read count"}, func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 50, 1, 1)
			s.settle(GiveBack, 20, 100, true, 1)
			s.dequeue(100, 101, 50, 2, 1)
			s.row("", 101, 2, 1)
		}},
		{"a row with a read count of its own", []string{"wrong read count"}, func(s *story) {
			leased(s)
			s.row("", 100, 2, 1)
			s.row("", 100, 1, 2, 3, 4, 5)
		}},
		{"a late holder that settles", []string{"delivered after it was settled", "settled although leased again"}, func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 20, 1, 1)
			s.dequeue(50, 101, 50, 2, 1)
			s.archive(60, 100, 1, 1)
		}},
		{"a late holder that extends", []string{"settled although leased again"}, func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 20, 1, 1)
			s.dequeue(50, 101, 50, 2, 1)
			s.extend(60, 100, 1, 5000)
			s.row("", 101, 2, 1)
		}},
		{"a delivery of what is archived", []string{"delivered after it was settled"}, func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 20, 1, 1)
			s.archive(15, 100, 1, 1)
			s.dequeue(50, 101, 50, 2, 1)
		}},
		{"a holder that is told it is none", []string{"not held although it was"}, func(s *story) {
			leased(s)
			s.settle(Archive, 20, 100, false, 1)
			s.row("", 100, 1, 1, 2, 3, 4, 5)
		}},
		{"a holder of an extended lease that is told it is none", []string{"not held although it was"}, func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 20, 1, 1)
			s.extend(20, 100, 1, 5000)
			s.settle(Archive, 100, 100, false, 1)
			s.row("", 100, 1, 1)
		}},
		{"an expired holder that is told it is none, though nobody took it", []string{"not held although nobody took it"}, func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 20, 1, 1)
			s.settle(Archive, 100, 100, false, 1)
			s.dequeue(200, 101, 50, 2, 1)
			s.row("", 101, 2, 1)
		}},
		{"a settling of what was never delivered", []string{"settled without delivery"}, func(s *story) {
			s.produce(0, 1)
			s.extend(10, 100, 1, 5000)
			s.row("", 0, 0, 1)
		}},
		{"an answer about what was never delivered", []string{"settled without delivery"}, func(s *story) {
			s.produce(0, 1)
			s.settle(Archive, 10, 100, false, 1)
			s.row("", 0, 0, 1)
		}},
		{"a delete that leaves the payload", []string{"in no row", "not deleted"}, func(s *story) {
			leased(s)
			s.settle(Delete, 20, 100, true, 1)
			s.row("", 100, 1, 2, 3, 4, 5)
		}},
		{"a delete that leaves all", []string{"not deleted"}, func(s *story) {
			leased(s)
			s.settle(Delete, 20, 100, true, 1)
			s.row("", 100, 1, 1, 2, 3, 4, 5)
		}},
		{"a delivery after a delete", []string{"delivered after it was settled"}, func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 20, 1, 1)
			s.remove(15, 100, 1)
			s.dequeue(50, 101, 50, 2, 1)
		}},
		{"a message that survives a purge", []string{"not purged"}, func(s *story) {
			leased(s)
			s.purge(20)
			s.row("", 100, 1, 1)
			for id := int64(2); id <= 5; id++ {
				delete(s.s.Log, id)
			}
		}},
		{"a delivery after a purge", []string{"delivered after it was purged"}, func(s *story) {
			s.produce(0, 1)
			s.purge(20)
			s.dequeue(50, 101, 50, 1, 1)
			s.remove(60, 101, 1)
		}},
		{"a purge of another queue as an excuse", []string{"lost"}, func(s *story) {
			s.produce(0, 1)
			s.purge(20).Queue = 2
			delete(s.s.Log, 1)
		}},
		{"a purge before as an excuse", []string{"lost"}, func(s *story) {
			s.purge(0)
			s.produce(20, 1)
			delete(s.s.Log, 1)
		}},
		{"a deletion by id that leaves the message", []string{"not deleted"}, func(s *story) {
			leased(s)
			s.seize(DeleteByID, 20, 1, backend.StateLeased, true)
			s.row("", 100, 1, 2, 3, 4, 5)
			s.logged(1, 1)
			s.row("", 100, 1, 1)
		}},
		{"a delivery after a deletion by id", []string{"delivered after it was deleted"}, func(s *story) {
			s.produce(0, 1)
			s.seize(DeleteByID, 10, 1, backend.StateReady, true)
			s.dequeue(20, 100, 50, 1, 1)
		}},
		{"a message deleted by its holder and by its id", []string{"settled twice"}, func(s *story) {
			leased(s)
			s.settle(Delete, 20, 100, true, 1)
			s.seize(DeleteByID, 20, 1, backend.StateLeased, true)
			s.row("", 100, 1, 2, 3, 4, 5)
		}},
		{"an extension of what was released by id", []string{"settled after it was seized"}, func(s *story) {
			leased(s)
			s.seize(ReleaseByID, 20, 1, backend.StateLeased, true)
			s.extend(30, 100, 1, 9000)
			s.row("", 0, 1, 1)
			s.row("", 100, 1, 2, 3, 4, 5)
		}},
		{"a leased message deleted by id without force", []string{"seized from its holder"}, func(s *story) {
			leased(s)
			s.seize(DeleteByID, 20, 1, backend.StateReady, true)
			s.row("", 100, 1, 2, 3, 4, 5)
		}},
		{"a leased message deleted by id without force, and told so", []string{"seized from its holder"}, func(s *story) {
			s.produce(0, 1)
			c := call(DeleteByID, 20)
			s.h.AddSeizure(c, 1, backend.StateLeased, true)
			delete(s.s.Log, 1)
		}},
		{"a ready message that is not deleted by id", []string{"not seized"}, func(s *story) {
			s.produce(0, 1)
			s.seize(DeleteByID, 20, 1, backend.StateReady, false)
			s.row("", 0, 0, 1)
		}},
		{"a lease that a release by id of what is ready has ended", []string{"not held although it was"}, func(s *story) {
			leased(s)
			s.seize(ReleaseByID, 20, 1, backend.StateReady, true)
			s.settle(Archive, 30, 100, false, 1)
			s.row("", 100, 1, 1, 2, 3, 4, 5)
		}},
		{"a death without delivery", []string{"dead without delivery"}, func(s *story) {
			s.produce(0, 1)
			s.row("dead", 0, 0, 1)
		}},
		{"a message that nobody produced", []string{"from nowhere"}, func(s *story) {
			s.logged(7, 1)
			s.row("", 0, 0, 1)
		}},
		{"a delivery that nobody produced", []string{"from nowhere"}, func(s *story) { s.dequeue(10, 100, 50, 1, 1) }},
		{"half of a batch", []string{"half of a batch"}, func(s *story) {
			s.lostProduce(0, 2)
			s.logged(1, 1)
			s.row("", 0, 0, 1)
		}},
		{"another payload delivered", []string{"payload of another"}, func(s *story) {
			s.produce(0, 1, 3)
			s.dequeue(10, 100, 5000, 1, 3)
			s.row("", 100, 1, 3)
			s.row("", 0, 0, 1)
		}},
		{"another payload in the log", []string{"payload of another"}, func(s *story) {
			s.produce(0, 1)
			s.row("", 0, 0, 1)
			s.logged(1, 9, 1)
			delete(s.s.Log, 9)
		}},
		{"a delivery before its delay is over", []string{"too early"}, func(s *story) {
			s.produce(0, 1).Delay = time.Second
			s.dequeue(10, 100, 5000, 1, 1)
			s.row("", 100, 1, 1)
		}},
		{"a redelivery before its delay is over", []string{"too early"}, func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 5000, 1, 1)
			s.settle(Release, 20, 100, true, 1).Delay = time.Second
			s.dequeue(50, 101, 5000, 2, 1)
			s.row("", 101, 2, 1)
		}},
		{"a delivery from another queue", []string{"wrong queue"}, func(s *story) {
			s.produce(0, 1)
			s.dequeue(10, 100, 5000, 1, 1).Queue = 2
			s.row("", 100, 1, 1)
		}},
		{"an id given twice", []string{"id given twice"}, func(s *story) {
			s.number = -1
			s.produce(0, 1)
			s.number = 0
			s.produce(0, 1)
			s.row("", 0, 0, 1)
		}},
		{"ids that do not ascend", []string{"ids do not ascend"}, func(s *story) {
			s.produce(0, 2, 1)
			s.row("", 0, 0, 1, 2)
		}},
		{"too few ids", []string{"wrong number of ids"}, func(s *story) {
			c := call(Produce, 0)
			c.Number, c.Size = 1, 2
			s.h.AddProduce(c, []int64{1})
			s.logged(1, 1)
			s.row("", 0, 0, 1)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tell(c.tell)
			var got []string
			faults := s.h.Check(&s.s)
			for _, f := range faults {
				got = append(got, f.Rule)
			}
			slices.Sort(got)
			if got = slices.Compact(got); !slices.Equal(got, c.want) {
				t.Errorf("found %q, want %q:\n%v\n%s", got, c.want, faults, s.h.Tell(1))
			}
		})
	}
}
