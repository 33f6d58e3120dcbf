package stress

import (
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// story builds a history and a state. Moments are milliseconds; a call lasts two
// and a lease begins in the middle of its dequeue.
type story struct {
	h      History
	s      State
	number int
}

// tell makes a story that ends a minute after its begin.
func tell(f func(s *story)) *story {
	s := &story{s: State{At: at(60_000), Log: make(map[int64]Logged)}}
	f(s)
	return s
}

func at(ms int) time.Time {
	return time.Unix(1_700_000_000, 0).Add(time.Duration(ms) * time.Millisecond)
}

func call(kind Kind, begin int) *Call {
	return &Call{Kind: kind, Queue: 1, Begin: at(begin), End: at(begin + 2)}
}

// produce stores messages, and puts them into the log.
func (s *story) produce(begin int, ids ...int64) *Call {
	s.number++
	c := call(Produce, begin)
	c.Number, c.Size = s.number, len(ids)
	s.h.AddProduce(c, ids)
	s.logged(s.number, ids...)
	return c
}

// lostProduce loses the answer of a produce of that many messages.
func (s *story) lostProduce(begin, size int) {
	s.number++
	c := call(Produce, begin)
	c.Number, c.Size, c.Lost = s.number, size, true
	s.h.AddProduce(c, nil)
}

// logged puts messages of a call into the log.
func (s *story) logged(number int, ids ...int64) {
	for i, id := range ids {
		s.s.Log[id] = Logged{Queue: 1, Place: Place{Number: number, Index: i}}
	}
}

// dequeue delivers messages of the first call for that many milliseconds.
func (s *story) dequeue(begin int, lease int64, vt int, readCount int32, ids ...int64) *Call {
	c := call(Dequeue, begin)
	c.TakenAt, c.Until = at(begin+1), at(begin+1+vt)
	var all []Delivered
	for _, id := range ids {
		all = append(all, Delivered{ID: id, ReadCount: readCount, Place: Place{Number: 1, Index: int(id - 1)}})
	}
	s.h.AddDequeue(c, lease, all)
	return c
}

// lose loses the answer of a dequeue.
func (s *story) lose(begin int) {
	c := call(Dequeue, begin)
	c.Lost = true
	s.h.AddDequeue(c, 0, nil)
}

func (s *story) settle(kind Kind, begin int, lease int64, held bool, ids ...int64) *Call {
	c := call(kind, begin)
	var all []Settled
	for _, id := range ids {
		all = append(all, Settled{Lease: lease, ID: id, Held: held})
	}
	s.h.AddSettle(c, all)
	return c
}

// extend lengthens a lease to a moment.
func (s *story) extend(begin int, lease, id int64, to int) {
	s.h.AddSettle(call(Extend, begin), []Settled{{Lease: lease, ID: id, Held: true, VT: at(to)}})
}

// archive archives and puts a row for it.
func (s *story) archive(begin int, lease int64, readCount int32, ids ...int64) {
	s.settle(Archive, begin, lease, true, ids...)
	s.row("archived", lease, readCount, ids...)
}

// remove deletes from the log too.
func (s *story) remove(begin int, lease int64, ids ...int64) {
	s.settle(Delete, begin, lease, true, ids...)
	for _, id := range ids {
		delete(s.s.Log, id)
	}
}

// row puts a row; outcome is empty for a span.
func (s *story) row(outcome string, lease int64, readCount int32, ids ...int64) {
	s.s.Rows = append(s.s.Rows, Row{
		Queue: 1, Lease: lease, Outcome: outcome, ReadCount: readCount, N: len(ids), Lo: ids[0], Hi: ids[len(ids)-1], IDs: ids,
	})
}

// seize deletes or releases a message by its id.
func (s *story) seize(kind Kind, begin int, id int64, state backend.MessageState, done bool) *Call {
	c := call(kind, begin)
	c.Forced = state == backend.StateLeased && done
	s.h.AddSeizure(c, id, state, done)
	if kind == DeleteByID && done {
		delete(s.s.Log, id)
	}
	return c
}

func (s *story) purge(begin int) *Call {
	c := call(Purge, begin)
	s.h.AddPurge(c)
	return c
}

func (s *story) crash(begin int) {
	c := call(Crash, begin)
	c.End = at(begin + 500)
	s.h.AddCrash(c)
}
