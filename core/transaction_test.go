package pgqrs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// transact opens a connection of the caller's own to that database, in a way of
// pgx, and a transaction on it.
func transact(t *testing.T, dsn string, mode pgx.QueryExecMode, level pgx.TxIsoLevel) (pgx.Tx, *pgx.Conn) {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = mode
	c, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	tx, err := c.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: level})
	if err != nil {
		t.Fatal(err)
	}
	return tx, c
}

func begin(t *testing.T, p *place) pgx.Tx {
	t.Helper()
	tx, _ := transact(t, p.dsn, pgx.QueryExecModeCacheStatement, pgx.ReadCommitted)
	return tx
}

// commit checks that the caller can end the transaction.
func commit(t *testing.T, tx pgx.Tx) {
	t.Helper()
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func rollback(t *testing.T, tx pgx.Tx) {
	t.Helper()
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestMessagesOfATransactionAreThereWhenItCommits(t *testing.T) {
	p := onPostgres(t)
	s := p.connect(t)
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			ctx, queue := t.Context(), "it's "+mode.String()
			producer, err := s.Producer(ctx, queue)
			if err != nil {
				t.Fatal(err)
			}
			tx, _ := transact(t, p.dsn, mode, pgx.ReadCommitted)
			text := json.RawMessage(` {"b": 1, "a": [1e300, -0.0, "\u00e9 'é' \\ \" {x,y}"]} `)
			one, err := producer.EnqueueTx(ctx, tx, text)
			if err != nil {
				t.Fatal(err)
			}
			late, err := producer.EnqueueDelayedTx(ctx, tx, 1, 3600)
			if err != nil {
				t.Fatal(err)
			}
			many, err := producer.BatchEnqueueTx(ctx, tx, []any{"a", nil, map[string]int{"x": 1}})
			if err != nil {
				t.Fatal(err)
			}
			without, err := pgqrs.Enqueue().Message("b").To(queue).ExecuteTx(ctx, s, tx)
			if err != nil {
				t.Fatal(err)
			}
			inner, err := tx.Begin(ctx) // a savepoint
			if err != nil {
				t.Fatal(err)
			}
			if _, err = producer.EnqueueTx(ctx, inner, "gone"); err != nil {
				t.Fatal(err)
			}
			rollback(t, inner)
			if c := p.counts(t, queue); c != (backend.MessageCounts{}) {
				t.Errorf("before the commit: %+v", c)
			}
			commit(t, tx)
			if c := p.counts(t, queue); c != (backend.MessageCounts{Ready: 5, Delayed: 1}) {
				t.Errorf("after the commit: %+v", c)
			}
			got := dequeue(t, newConsumer(t, s, queue), 5, 60)
			want := []int64{one.ID, many[0].ID, many[1].ID, many[2].ID, without[0]}
			for i, m := range got {
				if m.ID != want[i] || (m.ProducerWorkerID == producer.WorkerID()) != (i < 4) {
					t.Errorf("message %d is %+v", i, m.Message)
				}
			}
			if string(got[0].Payload) != string(text) || string(got[2].Payload) != "null" {
				t.Errorf("payloads %q, %q", got[0].Payload, got[2].Payload)
			}
			if p.state(t, late.ID) != backend.StateDelayed {
				t.Error("the delay is lost")
			}
		})
	}
}

func TestMessagesOfATransactionThatRollsBackNeverWere(t *testing.T) {
	p := onPostgres(t)
	s := p.connect(t)
	tx := begin(t, p)
	values := make([]any, 25_000) // more than one statement
	for i := range values {
		values[i] = i
	}
	ids, err := pgqrs.Enqueue().Messages(values...).To("tasks").ExecuteTx(t.Context(), s, tx)
	if err != nil || len(ids) != len(values) || !slices.IsSorted(ids) {
		t.Fatal(len(ids), err)
	}
	rollback(t, tx)
	if c := p.counts(t, "tasks"); c != (backend.MessageCounts{}) {
		t.Errorf("%+v", c)
	}
}

func TestATransactionIsRefusedWhatProduceRefuses(t *testing.T) {
	p := onPostgres(t)
	s := p.connect(t, func(c *pgqrs.Config) { c.MaxPayloadSize = 100 })
	tx := begin(t, p)
	for _, bad := range []string{`"\u0000"`, `"\ud800"`, `{`, `1e200000`, `"` + strings.Repeat("x", 200) + `"`} {
		payloads := [][]byte{[]byte("1"), []byte(bad)}
		_, want := s.ProduceBatch(t.Context(), "tasks", payloads, pgqrs.ProduceOptions{})
		_, err := s.ProduceTx(t.Context(), tx, "tasks", payloads, pgqrs.ProduceOptions{})
		if fmt.Sprint(err) != fmt.Sprint(want) || err == nil {
			t.Errorf("%.20s: %v, want %v", bad, err, want)
		}
	}
	if _, err := s.ProduceTx(t.Context(), tx, "tasks", [][]byte{[]byte("1")}, pgqrs.ProduceOptions{Delay: -1}); !errors.Is(err, pgqrs.ErrInvalid) {
		t.Error(err)
	}
	if ids, err := s.ProduceTx(t.Context(), tx, "tasks", nil, pgqrs.ProduceOptions{}); err != nil || len(ids) != 0 {
		t.Error(ids, err)
	}
	if _, err := s.ProduceTx(t.Context(), tx, "tasks", [][]byte{[]byte("1")}, pgqrs.ProduceOptions{}); err != nil {
		t.Error("the transaction did not live on:", err)
	}
	commit(t, tx)
}

// notOurs has the methods of a transaction and is none.
type notOurs struct{}

func (notOurs) Commit(context.Context) error   { return nil }
func (notOurs) Rollback(context.Context) error { return nil }

func TestWhatIsNoTransactionOfTheStoreIsRefused(t *testing.T) {
	// All places before the first store: what it does in the background is none of theirs.
	without, p, elsewhere := onMemory(t), onPostgres(t), onPostgres(t)
	s := p.connect(t)
	m := p.produce(t, "tasks", 1)
	held := dequeue(t, newConsumer(t, s, "tasks"), 1, 60)[0]
	ended := begin(t, p)
	commit(t, ended)
	memory := without.connect(t)
	for what, tx := range map[string]func() pgqrs.Tx{
		"nil":              func() pgqrs.Tx { return nil },
		"another type":     func() pgqrs.Tx { return notOurs{} },
		"an ended one":     func() pgqrs.Tx { return ended },
		"another database": func() pgqrs.Tx { return begin(t, elsewhere) },
	} {
		_, err := pgqrs.Enqueue().Message(1).To("tasks").ExecuteTx(t.Context(), s, tx())
		if !errors.Is(err, pgqrs.ErrInvalid) || pgqrs.SafeToRetry(err) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err = held.ArchiveTx(t.Context(), tx()); !errors.Is(err, pgqrs.ErrInvalid) {
			t.Errorf("%s: archive: %v", what, err)
		}
	}
	if _, err := pgqrs.Enqueue().Message(1).To("tasks").ExecuteTx(t.Context(), memory, begin(t, p)); !errors.Is(err, pgqrs.ErrInvalid) {
		t.Error(err)
	}
	tx, _ := transact(t, p.dsn, pgx.QueryExecModeCacheStatement, pgx.RepeatableRead)
	if _, err := held.ArchiveTx(t.Context(), tx); !errors.Is(err, pgqrs.ErrInvalid) || !strings.Contains(err.Error(), "READ COMMITTED") {
		t.Error(err)
	}
	rollback(t, tx)
	answers(t, "archive after all that", true)(held.Archive(t.Context()))
	if p.state(t, m[0]) != backend.StateArchived {
		t.Error("it is not archived")
	}
}

func TestAQueueThatIsYoungerThanTheSnapshotIsASerializationFailure(t *testing.T) {
	p := onPostgres(t)
	s := p.connect(t)
	tx, c := transact(t, p.dsn, pgx.QueryExecModeCacheStatement, pgx.RepeatableRead)
	if _, err := tx.Exec(t.Context(), "select 1"); err != nil {
		t.Fatal(err)
	}
	_, err := pgqrs.Enqueue().Message(1).To("young").ExecuteTx(t.Context(), s, tx)
	var e *pgqrs.Error
	if !errors.As(err, &e) || e.SQLState != "40001" || e.SafeToRetry {
		t.Fatal(err)
	}
	rollback(t, tx)
	if tx, err = c.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead}); err != nil {
		t.Fatal(err)
	}
	if _, err = pgqrs.Enqueue().Message(1).To("young").ExecuteTx(t.Context(), s, tx); err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	if c := p.counts(t, "young"); c.Ready != 1 {
		t.Errorf("%+v", c)
	}
}

func TestSettledInATransactionWhileTheRestOfTheLeaseGoesOn(t *testing.T) {
	p := onPostgres(t)
	s := p.connect(t)
	ids := p.produce(t, "tasks", 9)
	c := newConsumer(t, s, "tasks")
	m := dequeue(t, c, 9, 60)
	ctx, stop := context.WithTimeout(t.Context(), patience) // nothing here may wait for tx
	defer stop()
	settle := func(tx pgx.Tx) {
		t.Helper()
		answers(t, "archive", true)(m[0].ArchiveTx(ctx, tx))
		answers(t, "delete", true)(m[1].DeleteTx(ctx, tx))
		answers(t, "archive by id", true)(c.ArchiveTx(ctx, tx, ids[2]))
		answers(t, "delete by id", true)(c.DeleteTx(ctx, tx, ids[3]))
		if held, err := c.ArchiveManyTx(ctx, tx, []int64{ids[4], 1 << 60, ids[5]}); err != nil || !slices.Equal(held, []bool{true, false, true}) {
			t.Error(held, err)
		}
		if held, err := c.DeleteManyTx(ctx, tx, ids[6:7]); err != nil || !slices.Equal(held, []bool{true}) {
			t.Error(held, err)
		}
	}
	tx := begin(t, p)
	settle(tx)
	answers(t, "archive of another", true)(m[7].Archive(ctx))
	answers(t, "extend of another", true)(m[8].ExtendVT(ctx, time.Minute))
	answers(t, "archive of what the transaction has", false)(m[0].Archive(ctx))
	answers(t, "extend of what the transaction has", false)(m[0].ExtendVT(ctx, time.Minute))
	answers(t, "release of what the transaction has", false)(m[1].Release(ctx, 0))
	answers(t, "delete by id of what the transaction has", false)(c.Delete(ctx, ids[2]))
	rollback(t, tx)
	if n := p.counts(t, "tasks"); n != (backend.MessageCounts{Leased: 8, Archived: 1}) {
		t.Errorf("after the rollback: %+v", n)
	}
	if vt := p.record(t, ids[0]).VT; !vt.Equal(m[0].VT) {
		t.Errorf("the lease ends at %v, was %v", vt, m[0].VT)
	}
	answers(t, "release after the rollback", true)(m[6].Release(ctx, time.Hour))
	m[6] = m[0] // it is not to be settled again
	tx = begin(t, p)
	answers(t, "archive", true)(m[0].ArchiveTx(ctx, tx))
	answers(t, "what was released", false)(c.DeleteTx(ctx, tx, ids[6]))
	answers(t, "delete", true)(m[1].DeleteTx(ctx, tx))
	commit(t, tx)
	answers(t, "archive by id after the rollback", true)(c.Archive(ctx, ids[2]))
	answers(t, "a second archive", false)(m[0].Archive(ctx))
	if n := p.counts(t, "tasks"); n != (backend.MessageCounts{Delayed: 1, Leased: 4, Archived: 3}) {
		t.Errorf("in the end: %+v", n)
	}
}

func TestAHandlerSettlesInItsTransaction(t *testing.T) {
	p := onPostgres(t)
	s := p.connect(t)
	ids := p.produce(t, "tasks", 4)
	handle := func(ctx context.Context, m *pgqrs.Message) error {
		tx := begin(t, p)
		if _, err := m.ArchiveTx(ctx, tx); err != nil {
			return err
		}
		switch {
		case m.ID == ids[1] && m.ReadCount == 1:
			_ = tx.Rollback(ctx)
			return errors.New("rolled back")
		case m.ID == ids[2]:
			return tx.Rollback(ctx) // to be archived all the same
		case m.ID == ids[3]:
			_, err := pgqrs.Enqueue().Message("result").To("results").ExecuteTx(ctx, s, tx)
			return errors.Join(err, tx.Commit(ctx))
		}
		return tx.Commit(ctx)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- pgqrs.Dequeue().From("tasks").Handle(handle).VT(0.3).Execute(ctx, s) }()
	until(t, "all are archived", func() bool { return p.counts(t, "tasks").Archived == 4 })
	stop()
	if err := receive(t, "the end of the loop", ended); err != nil {
		t.Fatal(err)
	}
	if n := p.counts(t, "tasks"); n != (backend.MessageCounts{Archived: 4}) {
		t.Errorf("%+v", n)
	}
	if p.record(t, ids[1]).ReadCount != 2 || p.counts(t, "results").Ready != 1 {
		t.Error("it was not tried again, or has no result")
	}
	if n := p.log.count("the lease was lost"); n != 0 {
		t.Errorf("%d messages count as lost", n)
	}
}

// A message that is settled in a transaction is not done before its handler has ended: what
// the transaction produces is there only then, and a loop that ends with its queue waits.
func TestALoopThatEndsWithItsQueueWaitsForTransactionsOfItsHandlers(t *testing.T) {
	p := onPostgres(t)
	f := newFaulty()
	s := p.through(t, f.wrap)
	p.produce(t, "tasks", 1)
	var handled atomic.Int32
	handle := func(ctx context.Context, m *pgqrs.Message) error {
		tx := begin(t, p)
		until(t, "the loop has found nothing more", func() bool { return s.CountAsleep() == 1 })
		looks := f.countCalls("dequeue")
		if _, err := m.ArchiveTx(ctx, tx); err != nil {
			return err
		}
		if handled.Add(1) < 3 {
			if _, err := pgqrs.Enqueue().Message("next").To("tasks").ExecuteTx(ctx, s, tx); err != nil {
				return err
			}
			until(t, "the loop has looked for more", func() bool { return f.countCalls("dequeue") > looks })
		}
		return tx.Commit(ctx)
	}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	if err := pgqrs.Dequeue().From("tasks").Handle(handle).Concurrency(2).UntilEmpty().Execute(ctx, s); err != nil {
		t.Fatal(err)
	}
	if n := p.counts(t, "tasks"); n != (backend.MessageCounts{Archived: 3}) {
		t.Errorf("%+v", n)
	}
}

// The lease of a detached message may run out while its handler goes on, and another handler
// of the process may detach its next delivery.
func TestALoopThatEndsWithItsQueueWaitsForBothHandlersOfAMessage(t *testing.T) {
	p := onPostgres(t)
	s := p.connect(t)
	p.produce(t, "tasks", 1)
	again := make(chan struct{})
	handle := func(ctx context.Context, m *pgqrs.Message) error {
		tx := begin(t, p)
		if _, err := m.ArchiveTx(ctx, tx); err != nil {
			return err
		}
		if m.ReadCount == 1 {
			err := tx.Rollback(ctx)
			receive(t, "the second delivery", again)
			return err
		}
		close(again)
		return tx.Commit(ctx)
	}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	err := pgqrs.Dequeue().From("tasks").Handle(handle).Concurrency(2).VT(0.3).UntilEmpty().Execute(ctx, s)
	if err != nil || ctx.Err() != nil {
		t.Fatal(err, ctx.Err())
	}
	if n := p.counts(t, "tasks"); n != (backend.MessageCounts{Archived: 1}) {
		t.Errorf("%+v", n)
	}
}

func TestListenersHearOfATransactionWhenItCommits(t *testing.T) {
	p := onPostgres(t)
	s, away := p.connect(t), p.elsewhere(t)
	arrived := make(chan int64)
	consumer := newConsumer(t, away, "tasks")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		for m, err := range consumer.Messages(ctx) {
			if err == nil {
				arrived <- m.ID
			}
		}
		close(arrived)
	}()
	listener, err := p.observer.ListenerOpen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	q, err := p.observer.QueueEnsure(ctx, &backend.QueueEnsureParams{Name: "tasks"})
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Sleep(ctx, []int64{q.ID}); err != nil {
		t.Fatal(err)
	}
	tx := begin(t, p)
	ids, err := pgqrs.Enqueue().Message(1).To("tasks").ExecuteTx(ctx, s, tx)
	if err != nil {
		t.Fatal(err)
	}
	early, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if _, err := listener.Wait(early); err == nil {
		t.Error("it was told before the commit")
	}
	commit(t, tx)
	if heard, err := listener.Wait(ctx); err != nil || heard != q.ID {
		t.Error(heard, err)
	}
	if id := receive(t, "the message", arrived); id != ids[0] {
		t.Errorf("message %d instead of %d", id, ids[0])
	}
	stop()
	for range arrived {
	}
}

func TestASuspendedProducerIsNotAdmitted(t *testing.T) {
	p := onPostgres(t)
	s := p.connect(t)
	producer, err := s.Producer(t.Context(), "tasks")
	must(t, err)
	must(t, producer.Suspend(t.Context()))
	o := pgqrs.ProduceOptions{WorkerID: producer.WorkerID()}
	tx := begin(t, p)
	for what, err := range map[string]error{
		"Admit":     errorOf(s.Admit(t.Context(), "tasks", [][]byte{[]byte("1")}, o, true)),
		"EnqueueTx": errorOf(producer.EnqueueTx(t.Context(), tx, 1)),
	} {
		if !errors.Is(err, pgqrs.ErrStateTransition) {
			t.Errorf("%s: %v", what, err)
		}
	}
	must(t, producer.Resume(t.Context()))
	if _, err := producer.EnqueueTx(t.Context(), tx, 1); err != nil {
		t.Error(err)
	}
	commit(t, tx)
}
