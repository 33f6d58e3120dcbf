package stress

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Row is a row of pgqrs_spans or pgqrs_done.
type Row struct {
	Queue, Lease int64
	Outcome      string // empty: live
	ReadCount    int32
	VT           time.Time
	N            int
	Lo, Hi       int64
	IDs          []int64
}

// Logged is a row of pgqrs_log.
type Logged struct {
	Queue int64
	Place Place
}

// State is what the tables hold, in one snapshot.
type State struct {
	At   time.Time
	Rows []Row
	Log  map[int64]Logged
}

// Read reads the tables of the schema public.
func Read(ctx context.Context, c *pgx.Conn) (*State, error) {
	s := &State{Log: make(map[int64]Logged)}
	err := pgx.BeginTxFunc(ctx, c, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, "select clock_timestamp()").Scan(&s.At); err != nil {
			return err
		}
		if err := s.readRows(ctx, tx); err != nil {
			return err
		}
		return s.readLog(ctx, tx)
	})
	return s, err
}

// Summary counts the messages by what became of them.
func (s *State) Summary() string {
	count := make(map[string]int)
	for _, r := range s.Rows {
		count[r.Outcome] += r.N
	}
	return fmt.Sprintf("%d live, %d archived and %d dead in %d rows", count[""], count["archived"], count["dead"], len(s.Rows))
}

func (s *State) readRows(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		select queue_id, lease, '', read_ct, vt, n, lo, hi, ids from pgqrs_spans
		union all
		select queue_id, lease, outcome, read_ct, vt, n, lo, hi, ids from pgqrs_done`)
	if err != nil {
		return err
	}
	var r Row
	var ids pgtype.Multirange[pgtype.Range[int64]]
	_, err = pgx.ForEachRow(rows, []any{&r.Queue, &r.Lease, &r.Outcome, &r.ReadCount, &r.VT, &r.N, &r.Lo, &r.Hi, &ids}, func() error {
		r.IDs = nil
		for _, part := range ids {
			for id := part.Lower; id < part.Upper; id++ {
				r.IDs = append(r.IDs, id)
			}
		}
		s.Rows = append(s.Rows, r)
		return nil
	})
	return err
}

func (s *State) readLog(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, "select id, queue_id, payload from pgqrs_log")
	if err != nil {
		return err
	}
	var id int64
	var l Logged
	var payload []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &l.Queue, &payload}, func() error {
		l.Place = PlaceOf(payload)
		s.Log[id] = l
		return nil
	})
	return err
}

// Payload is the payload of the message at a place.
func (p Place) Payload() []byte {
	text, _ := json.Marshal(p) // two numbers
	return text
}

// PlaceOf reads it back; what is no such payload is at no place that was given.
func PlaceOf(payload []byte) Place {
	p := Place{Number: -1}
	if json.Unmarshal(payload, &p) != nil {
		return Place{Number: -1}
	}
	return p
}

// Check returns what is wrong with the tables, whatever the calls were.
func (s *State) Check() []Fault {
	_, faults := s.fates()
	return faults
}

// fate is where one message is.
type fate struct {
	rows   []Row // that have it
	logged bool
	place  Place
	queue  int64
}

// live says that the message is neither archived nor dead nor gone.
func (f *fate) live() *Row { return f.row("") }

// row returns the row of that outcome that has the message, if any.
func (f *fate) row(outcome string) *Row {
	for i := range f.rows {
		if f.rows[i].Outcome == outcome {
			return &f.rows[i]
		}
	}
	return nil
}

// fates tells the state message by message, and what is wrong with the rows
// themselves.
func (s *State) fates() (map[int64]*fate, []Fault) {
	all := make(map[int64]*fate)
	var faults []Fault
	of := func(id int64) *fate {
		if all[id] == nil {
			all[id] = &fate{}
		}
		return all[id]
	}
	for _, r := range s.Rows {
		switch {
		case len(r.IDs) == 0:
			faults = append(faults, faultf("row without messages", 0, "%+v", r))
		case len(r.IDs) != r.N:
			faults = append(faults, faultf("wrong count", r.IDs[0], "%d ids in %+v", len(r.IDs), r))
		case r.IDs[0] < r.Lo || r.IDs[len(r.IDs)-1] > r.Hi:
			faults = append(faults, faultf("wrong bounds", r.IDs[0], "%+v", r))
		}
		for _, id := range r.IDs {
			f := of(id)
			f.rows = append(f.rows, r)
			f.queue = r.Queue
		}
	}
	for id, l := range s.Log {
		f := of(id)
		if len(f.rows) > 0 && f.queue != l.Queue {
			faults = append(faults, faultf("wrong queue", id, "queue %d in its row, %d in the log", f.queue, l.Queue))
		}
		f.logged, f.place, f.queue = true, l.Place, l.Queue
	}
	for id, f := range all {
		faults = append(faults, f.check(id)...)
	}
	return all, faults
}

// check finds what is wrong with one message whatever happened to it.
func (f *fate) check(id int64) (faults []Fault) {
	var live, done int
	for _, r := range f.rows {
		if r.Outcome == "" {
			live++
		} else {
			done++
		}
	}
	switch {
	case live > 1:
		faults = append(faults, faultf("in two spans", id, "%+v", f.rows))
	case live == 1 && done > 0:
		faults = append(faults, faultf("live and done", id, "%+v", f.rows))
	case done > 1:
		faults = append(faults, faultf("done twice", id, "%+v", f.rows))
	}
	switch {
	case len(f.rows) > 0 && !f.logged:
		faults = append(faults, faultf("without payload", id, "%+v", f.rows))
	case len(f.rows) == 0 && f.logged:
		faults = append(faults, faultf("in no row", id, "its payload is %+v", f.place))
	}
	return faults
}
