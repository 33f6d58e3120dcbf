package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

func (f *bench) listen() backend.Listener {
	f.Helper()
	l, err := f.b.ListenerOpen(f.ctx)
	f.must(err)
	f.Cleanup(func() { _ = l.Close() })
	return l
}

func TestALostListenerSaysSoAndAnotherTakesItsPlace(t *testing.T) {
	f := newBench(t)
	l := f.listen()
	f.must(l.Sleep(f.ctx, []int64{f.queue}))
	lost := make(chan error, 1)
	go func() {
		_, err := l.Wait(f.ctx)
		lost <- err
	}()
	f.exec("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like 'listen%'")
	if err := <-lost; !errors.Is(err, backend.ErrConnection) {
		t.Fatalf("Wait: %+v", err)
	}
	f.must(l.Close())
	again := f.listen()
	f.must(again.Sleep(f.ctx, []int64{f.queue}))
	f.must(f.b.QueueNotify(f.ctx, &backend.QueueNotifyParams{QueueIDs: []int64{f.queue}}))
	id, err := again.Wait(f.ctx)
	f.must(err)
	if id != f.queue {
		t.Errorf("woken for %d", id)
	}
}

// TestASQLProduceWakesListenersThatAreAwake: in somebody else's transaction a
// listener may fall asleep before the commit, and could not see the message.
func TestASQLProduceWakesListenersThatAreAwake(t *testing.T) {
	f := newBench(t)
	l := f.listen()
	f.must(l.Sleep(f.ctx, []int64{f.queue}))
	f.exec("update pgqrs_waiting set asleep = false")
	tx, err := f.c.Begin(f.ctx)
	f.must(err)
	_, err = tx.Exec(f.ctx, "select pgqrs_produce('tasks', '1'), pgqrs_produce('others', '1')")
	f.must(err)
	f.must(l.Sleep(f.ctx, []int64{f.queue}))
	if got := len(f.dequeue(1)); got != 0 {
		t.Fatalf("%d messages before the commit", got)
	}
	f.must(tx.Commit(f.ctx))
	id, err := l.Wait(f.ctx)
	f.must(err)
	if id != f.queue || len(f.dequeue(1)) != 1 {
		t.Errorf("woken for %d", id)
	}
}

// TestNobodyIsToldWhenNobodyListens counts what is written: nothing.
func TestNobodyIsToldWhenNobodyListens(t *testing.T) {
	f := newBench(t)
	l := f.listen()
	f.must(l.Sleep(f.ctx, []int64{f.queue}))
	f.exec("update pgqrs_waiting set until = now() - interval '1 s'") // it died long ago
	f.must(f.b.QueueNotify(f.ctx, &backend.QueueNotifyParams{QueueIDs: []int64{f.queue, f.another}}))
	f.exec("select pgqrs_produce('tasks', '1')")
	if !ask[bool](f, "select asleep from pgqrs_waiting where queue_id = $1", f.queue) {
		t.Error("the row of a listener that died was changed")
	}
	// What comes next comes first: nothing was sent before.
	f.must(l.Sleep(f.ctx, []int64{f.another}))
	f.must(f.b.QueueNotify(f.ctx, &backend.QueueNotifyParams{QueueIDs: []int64{f.another}}))
	if id, err := l.Wait(f.ctx); err != nil || id != f.another {
		t.Errorf("woken for %d, %v", id, err)
	}
}

// TestAListenerThatHearsNothingIsRefused takes its notifications away, as a
// pooler in transaction mode does: LISTEN reaches another schema's channel.
func TestAListenerThatHearsNothingIsRefused(t *testing.T) {
	f := newBench(t)
	f.b.Deafen()
	began := time.Now()
	_, err := f.b.ListenerOpen(f.ctx)
	if !errors.Is(err, backend.ErrListenUnavailable) {
		t.Fatalf("%+v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}
