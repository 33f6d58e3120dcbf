package backendtest

import (
	"reflect"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var settingTests = []test{
	{"a queue is created with its settings", settingsAreKept},
	{"an update changes what it names and nothing else", updateChangesWhatItNames},
	{"a queue's own vt counts where the dequeue names none", ownVTCounts},
	{"a queue's own limit of deliveries counts before the dequeue's", ownReadCountCounts},
	{"a paused queue gives nothing and is not due", pausedQueueGivesNothing},
	{"a paused queue takes messages, and what was leased is settled", pausedQueueTakes},
	{"a queue that nobody made has no settings", missingQueueHasNoSettings},
}

// ownQueue makes a queue with settings the queue of the test, and returns its name.
func (f *fixture) ownQueue(s backend.QueueSettings) string {
	f.Helper()
	name := newQueueName()
	q, err := f.b.QueueCreate(f.ctx, &backend.QueueCreateParams{Name: name, QueueSettings: s})
	f.must("QueueCreate", err)
	f.queue = q.ID
	return name
}

func (f *fixture) getQueue(name string) *backend.Queue {
	f.Helper()
	q, err := f.b.QueueGet(f.ctx, &backend.QueueGetParams{Name: name})
	f.must("QueueGet", err)
	return q
}

// wantSettings compares settings; those of an update are also what QueueGet says.
func (f *fixture) wantSettings(name string, q *backend.Queue, want backend.QueueSettings) {
	f.Helper()
	if !reflect.DeepEqual(q.QueueSettings, want) {
		f.Errorf("the settings are %+v, want %+v", q.QueueSettings, want)
	}
	if got := f.getQueue(name); !reflect.DeepEqual(got, q) {
		f.Errorf("QueueGet has %+v, returned was %+v", got, q)
	}
}

func someSettings() backend.QueueSettings {
	most, kept := 0, 36*time.Hour
	return backend.QueueSettings{
		DefaultVT: 90 * time.Second, MaxReadCount: &most, Retention: &kept,
		Retry: backend.RetryPolicy{Kind: backend.RetryExponential, Base: time.Second / 2, Max: 40 * 24 * time.Hour, Jitter: 0.25},
	}
}

func settingsAreKept(f *fixture) {
	name := f.ownQueue(someSettings())
	f.wantSettings(name, f.getQueue(name), someSettings())
	ensured, err := f.b.QueueEnsure(f.ctx, &backend.QueueEnsureParams{Name: name})
	f.must("QueueEnsure", err)
	f.wantSettings(name, ensured, someSettings())
	bare := f.ownQueue(backend.QueueSettings{})
	f.wantSettings(bare, f.getQueue(bare), backend.QueueSettings{Retry: backend.RetryPolicy{Kind: backend.RetryNone}})
}

func updateChangesWhatItNames(f *fixture) {
	name, want := f.ownQueue(someSettings()), someSettings()
	q, err := f.b.QueueUpdate(f.ctx, &backend.QueueUpdateParams{Name: name})
	f.must("QueueUpdate", err)
	f.wantSettings(name, q, want)

	most := 7
	want.MaxReadCount, want.Retention = &most, nil
	q, err = f.b.QueueUpdate(f.ctx, &backend.QueueUpdateParams{
		Name: name, MaxReadCount: backend.Change[*int]{Given: true, To: &most}, Retention: backend.Change[*time.Duration]{Given: true},
	})
	f.must("QueueUpdate", err)
	f.wantSettings(name, q, want)

	want.DefaultVT, want.MaxReadCount = 0, nil
	want.Retry = backend.RetryPolicy{Kind: backend.RetryFixed, Base: time.Minute}
	q, err = f.b.QueueUpdate(f.ctx, &backend.QueueUpdateParams{
		Name: name, DefaultVT: backend.Change[time.Duration]{Given: true}, MaxReadCount: backend.Change[*int]{Given: true},
		Retry: backend.Change[backend.RetryPolicy]{Given: true, To: want.Retry},
	})
	f.must("QueueUpdate", err)
	f.wantSettings(name, q, want)
}

func ownVTCounts(f *fixture) {
	name := f.ownQueue(backend.QueueSettings{DefaultVT: time.Hour})
	f.produce(3)
	vt := func(p backend.MessageDequeueParams) time.Duration {
		f.Helper()
		p.Limit = 1
		r := f.dequeueParams(&p)
		if len(r.Messages) != 1 {
			f.Fatalf("dequeued %d messages", len(r.Messages))
		}
		return r.Messages[0].VT.Sub(f.now)
	}
	if got := vt(backend.MessageDequeueParams{VT: lease, DefaultVT: time.Minute}); got != lease {
		f.Errorf("a vt of %v was asked for, it is %v", lease, got)
	}
	if got := vt(backend.MessageDequeueParams{DefaultVT: time.Minute}); got != time.Hour {
		f.Errorf("the queue's own vt is an hour, the lease's %v", got)
	}
	_, err := f.b.QueueUpdate(f.ctx, &backend.QueueUpdateParams{Name: name, DefaultVT: backend.Change[time.Duration]{Given: true}})
	f.must("QueueUpdate", err)
	if got := vt(backend.MessageDequeueParams{DefaultVT: time.Minute}); got != time.Minute {
		f.Errorf("the default is a minute, the lease's vt %v", got)
	}
}

func ownReadCountCounts(f *fixture) {
	most := 2
	f.ownQueue(backend.QueueSettings{MaxReadCount: &most})
	f.produce(1)
	for range most {
		f.dequeueParams(&backend.MessageDequeueParams{Limit: 1, VT: lease, MaxReadCount: 1})
		f.expire()
	}
	if r := f.dequeueParams(&backend.MessageDequeueParams{Limit: 1, VT: lease}); r.Dead != 1 {
		f.Errorf("delivered %d times, and not dead: %+v", most, r)
	}
	never := 0
	f.ownQueue(backend.QueueSettings{MaxReadCount: &never})
	f.produce(1)
	for range 3 {
		if r := f.dequeueParams(&backend.MessageDequeueParams{Limit: 1, VT: lease, MaxReadCount: 1}); len(r.Messages) != 1 {
			f.Errorf("nothing of this queue is ever dead, but %+v", r)
		}
		f.expire()
	}
}

func pausedQueueGivesNothing(f *fixture) {
	name := f.ownQueue(backend.QueueSettings{})
	ids := f.produce(2)
	q, err := f.b.QueuePause(f.ctx, &backend.QueuePauseParams{Name: name, At: f.now})
	f.must("QueuePause", err)
	if !q.PausedAt.Equal(f.now) {
		f.Errorf("paused at %v, now is %v", q.PausedAt, f.now)
	}
	paused := f.now
	f.later(time.Second)
	if q, err = f.b.QueuePause(f.ctx, &backend.QueuePauseParams{Name: name, At: f.now}); err != nil || !q.PausedAt.Equal(paused) {
		f.Errorf("paused again: %v, %v; the first time was %v", q, err, paused)
	}
	if r := f.dequeueParams(&backend.MessageDequeueParams{Limit: 10, VT: lease}); len(r.Messages) != 0 || r.HasNext || r.Dead != 0 {
		f.Errorf("a paused queue answers %+v", r)
	}
	q, err = f.b.QueueResume(f.ctx, &backend.QueueResumeParams{Name: name})
	f.must("QueueResume", err)
	if !q.PausedAt.IsZero() {
		f.Errorf("resumed, and paused at %v", q.PausedAt)
	}
	f.wantIDs(f.dequeue(10), ids...)
}

func pausedQueueTakes(f *fixture) {
	name := f.ownQueue(backend.QueueSettings{})
	f.produce(4)
	held := f.dequeue(3)
	_, err := f.b.QueuePause(f.ctx, &backend.QueuePauseParams{Name: name, At: f.now})
	f.must("QueuePause", err)
	f.produce(1)
	f.wantOutcomes(f.archive(deliveryOf(held[0])), backend.Settled)
	f.wantOutcomes(f.giveBack(deliveryOf(held[1])), backend.Settled)
	f.wantCounts(backend.MessageCounts{Ready: 3, Leased: 1, Archived: 1})
}

func missingQueueHasNoSettings(f *fixture) {
	const name = "nobody made this either"
	_, err := f.b.QueueUpdate(f.ctx, &backend.QueueUpdateParams{Name: name})
	f.wantError("QueueUpdate", err, backend.ErrQueueNotFound)
	_, err = f.b.QueuePause(f.ctx, &backend.QueuePauseParams{Name: name})
	f.wantError("QueuePause", err, backend.ErrQueueNotFound)
	_, err = f.b.QueueResume(f.ctx, &backend.QueueResumeParams{Name: name})
	f.wantError("QueueResume", err, backend.ErrQueueNotFound)
	err = f.b.QueueDelete(f.ctx, &backend.QueueDeleteParams{Name: name, Force: true})
	f.wantError("QueueDelete", err, backend.ErrQueueNotFound)
	_, err = f.b.MessageDequeue(f.ctx, &backend.MessageDequeueParams{QueueID: 1 << 50, Limit: 1, VT: lease})
	f.wantError("MessageDequeue", err, backend.ErrQueueNotFound)
}
