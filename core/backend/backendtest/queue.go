package backendtest

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var queueTests = []test{
	{"a created queue is found by its name", createdQueueIsFound},
	{"a name is taken once", nameIsTakenOnce},
	{"ensure makes a queue once however many ask at the same time", ensureMakesOne},
	{"a queue that nobody made is not found", missingQueueIsNotFound},
	{"names are kept to the character", namesAreKept},
	{"queues are listed by name, page by page", queuesAreListed},
	{"a queue without messages is deleted", emptyQueueIsDeleted},
	{"a queue with messages is deleted only by force, and they with it", fullQueueIsDeletedByForce},
	{"a name is free when its queue was deleted", nameIsFreeAgain},
	{"nothing is left of what is produced while its queue is deleted", deletionLeavesNothing},
	{"purge deletes all that lives and nothing that is done", purgeDeletesTheLiving},
	{"purge ends leases and leaves other queues alone", purgeEndsLeases},
}

func createdQueueIsFound(f *fixture) {
	q, err := f.b.QueueCreate(f.ctx, &backend.QueueCreateParams{Name: "made"})
	f.must("QueueCreate", err)
	if q.ID <= 0 || q.Name != "made" || q.CreatedAt.IsZero() {
		f.Fatalf("QueueCreate returned %+v", q)
	}
	got, err := f.b.QueueGet(f.ctx, &backend.QueueGetParams{Name: "made"})
	f.must("QueueGet", err)
	if got.ID != q.ID || got.Name != q.Name || !got.CreatedAt.Equal(q.CreatedAt) {
		f.Fatalf("QueueGet returned %+v, created was %+v", got, q)
	}
}

func nameIsTakenOnce(f *fixture) {
	p := &backend.QueueCreateParams{Name: "taken"}
	_, err := f.b.QueueCreate(f.ctx, p)
	f.must("QueueCreate", err)
	_, err = f.b.QueueCreate(f.ctx, p)
	f.wantError("a second QueueCreate", err, backend.ErrQueueExists)
}

func ensureMakesOne(f *fixture) {
	const callers = 8
	var ids [callers]int64
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			q, err := f.b.QueueEnsure(f.ctx, &backend.QueueEnsureParams{Name: "ensured"})
			if err != nil {
				f.Errorf("QueueEnsure: %v", err)
				return
			}
			ids[i] = q.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id <= 0 || id != ids[0] {
			f.Fatalf("QueueEnsure returned ids %v, want one", ids)
		}
	}
}

func missingQueueIsNotFound(f *fixture) {
	const nowhere = 1 << 50
	_, err := f.b.QueueGet(f.ctx, &backend.QueueGetParams{Name: "nobody made this"})
	f.wantError("QueueGet", err, backend.ErrQueueNotFound)
	_, err = f.b.MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: nowhere, Payloads: ones(1), At: f.now})
	f.wantError("MessageProduce", err, backend.ErrQueueNotFound)
}

func namesAreKept(f *fixture) {
	seen := make(map[int64]string)
	for _, name := range []string{
		"a", "A", " a", "a ", "a\n", "á", "a\u0301", // the last two look alike
		`'; drop table pgqrs_queues; --`, `"quoted" $$ \ %s ? $1 :x`, `Robert'); delete from pgqrs_log;`,
		"public.pgqrs_log", "%", "null", "\U0001f600 очередь 待ち行列 طابور",
		strings.Repeat("n", 255), strings.Repeat("待", 255), strings.Repeat("\U0001f600", 255),
	} {
		q, err := f.b.QueueEnsure(f.ctx, &backend.QueueEnsureParams{Name: name})
		f.must("QueueEnsure of "+name, err)
		if q.Name != name {
			f.Errorf("queue %q came back as %q", name, q.Name)
		}
		if other, taken := seen[q.ID]; taken {
			f.Errorf("%q and %q are one queue", name, other)
		}
		seen[q.ID] = name
		got, err := f.b.QueueGet(f.ctx, &backend.QueueGetParams{Name: name})
		f.must("QueueGet of "+name, err)
		if got.ID != q.ID {
			f.Errorf("QueueGet of %q found queue %d, want %d", name, got.ID, q.ID)
		}
	}
}

func queuesAreListed(f *fixture) {
	for _, name := range []string{"list c", "list a", "list B", "list á", "list b"} {
		_, err := f.b.QueueCreate(f.ctx, &backend.QueueCreateParams{Name: name})
		f.must("QueueCreate", err)
	}
	var names []string
	for after := "list "; ; after = names[len(names)-1] {
		page, err := f.b.QueueList(f.ctx, &backend.QueueListParams{After: after, Limit: 2})
		f.must("QueueList", err)
		for _, q := range page {
			got, err := f.b.QueueGet(f.ctx, &backend.QueueGetParams{Name: q.Name})
			f.must("QueueGet", err)
			if got.ID != q.ID || !got.CreatedAt.Equal(q.CreatedAt) {
				f.Errorf("QueueList has %+v, QueueGet %+v", q, got)
			}
			if strings.HasPrefix(q.Name, "list ") {
				names = append(names, q.Name)
			}
		}
		if len(page) < 2 || !strings.HasPrefix(page[1].Name, "list ") {
			break
		}
	}
	if got := strings.Join(names, ","); got != "list B,list a,list b,list c,list á" {
		f.Errorf("QueueList gave %s", got)
	}
	all, err := f.b.QueueList(f.ctx, &backend.QueueListParams{Limit: 1000})
	f.must("QueueList", err)
	n, err := f.b.QueueCount(f.ctx, &backend.QueueCountParams{})
	f.must("QueueCount", err)
	if int(n) != len(all) {
		f.Errorf("QueueCount is %d, QueueList has %d", n, len(all))
	}
}

func (f *fixture) deleteQueue(name string, force bool) {
	f.Helper()
	f.must("QueueDelete", f.b.QueueDelete(f.ctx, &backend.QueueDeleteParams{Name: name, Force: force}))
	_, err := f.b.QueueGet(f.ctx, &backend.QueueGetParams{Name: name})
	f.wantError("QueueGet of a deleted queue", err, backend.ErrQueueNotFound)
	_, err = f.b.MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: f.queue, Payloads: ones(1), At: f.now})
	f.wantError("MessageProduce into a deleted queue", err, backend.ErrQueueNotFound)
	_, err = f.b.MessageDequeue(f.ctx, &backend.MessageDequeueParams{QueueID: f.queue, Limit: 1, VT: lease, At: f.now})
	f.wantError("MessageDequeue from a deleted queue", err, backend.ErrQueueNotFound)
	_, err = f.b.WorkerRegister(f.ctx, &backend.WorkerRegisterParams{QueueID: f.queue, Hostname: "h", At: f.now})
	f.wantError("WorkerRegister on a deleted queue", err, backend.ErrQueueNotFound)
	f.wantCounts(backend.MessageCounts{})
}

func emptyQueueIsDeleted(f *fixture) {
	name := f.ownQueue(backend.QueueSettings{})
	f.produce(2)
	f.delete(deliveriesOf(f.dequeue(2))...)
	w := f.register(&backend.WorkerRegisterParams{Hostname: "h"})
	f.deleteQueue(name, false)
	f.wantNoWorker(w.ID)
	f.wantError("a second QueueDelete", f.b.QueueDelete(f.ctx, &backend.QueueDeleteParams{Name: name}), backend.ErrQueueNotFound)
}

func fullQueueIsDeletedByForce(f *fixture) {
	other := f.queue
	kept := f.produce(1)
	for _, prepare := range []func(){
		func() { f.produce(3) },
		func() { f.produceDelayed(1, lease) },
		func() { f.produce(1); f.dequeue(1) },
		func() { f.produce(2); f.archive(deliveriesOf(f.dequeue(2))...) },
		func() {
			f.produce(1)
			f.dequeue(1)
			f.expire()
			f.dequeueParams(&backend.MessageDequeueParams{Limit: 1, VT: lease, MaxReadCount: 1})
		},
	} {
		name := f.ownQueue(backend.QueueSettings{})
		prepare()
		before := f.counts()
		f.wantError("QueueDelete", f.b.QueueDelete(f.ctx, &backend.QueueDeleteParams{Name: name}), backend.ErrQueueNotEmpty)
		f.wantCounts(before)
		id := f.produce(1)[0]
		f.deleteQueue(name, true)
		_, err := f.b.MessageGet(f.ctx, &backend.MessageGetParams{ID: id})
		f.wantError("MessageGet of a deleted queue's message", err, backend.ErrMessageNotFound)
	}
	f.queue = other
	f.wantIDs(f.dequeue(10), kept...)
}

func nameIsFreeAgain(f *fixture) {
	name := f.ownQueue(backend.QueueSettings{DefaultVT: time.Hour})
	f.produce(1)
	held := f.dequeue(1)
	old := f.queue
	f.deleteQueue(name, true)
	q, err := f.b.QueueEnsure(f.ctx, &backend.QueueEnsureParams{Name: name})
	f.must("QueueEnsure", err)
	if q.ID == old || q.DefaultVT != 0 {
		f.Fatalf("the new queue is %+v, the old had id %d", q, old)
	}
	f.queue = q.ID
	f.wantNotHeld(deliveryOf(held[0]))
	ids := f.produce(1)
	f.wantIDs(f.dequeue(1), ids...)
}

// deletionLeavesNothing produces, dequeues and archives while queues are deleted.
// Afterwards no message that was accepted is left.
func deletionLeavesNothing(f *fixture) {
	name, gone := f.ownQueue(backend.QueueSettings{}), make(chan struct{})
	ids := make([][]int64, 4)
	var once sync.Once
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			for {
				made, err := f.b.MessageProduce(f.ctx, &backend.MessageProduceParams{QueueID: f.queue, Payloads: ones(1 + 10*i), At: f.now})
				if err != nil {
					f.wantError("MessageProduce", err, backend.ErrQueueNotFound)
					return
				}
				if ids[i] = append(ids[i], made...); len(ids[i]) > 20 {
					once.Do(func() { close(gone) })
				}
			}
		})
	}
	wg.Go(func() {
		for {
			r, err := f.b.MessageDequeue(f.ctx, &backend.MessageDequeueParams{QueueID: f.queue, Limit: 20, VT: lease, At: f.now})
			if err != nil {
				f.wantError("MessageDequeue", err, backend.ErrQueueNotFound)
				return
			}
			_, err = f.b.MessageArchive(f.ctx, &backend.MessageArchiveParams{QueueID: f.queue, Deliveries: deliveriesOf(r.Messages)[:len(r.Messages)/2], At: f.now})
			f.must("MessageArchive", err)
		}
	})
	<-gone
	f.must("QueueDelete", f.b.QueueDelete(f.ctx, &backend.QueueDeleteParams{Name: name, Force: true}))
	wg.Wait()
	f.wantCounts(backend.MessageCounts{})
	for _, id := range slices.Concat(ids...) {
		if _, err := f.b.MessageGet(f.ctx, &backend.MessageGetParams{ID: id}); !errors.Is(err, backend.ErrMessageNotFound) {
			f.Fatalf("message %d is left: %v", id, err)
		}
	}
}

func purgeDeletesTheLiving(f *fixture) {
	f.produce(10)
	f.produceDelayed(3, lease)
	held := f.dequeue(4)
	f.archive(deliveryOf(held[0]))
	n, err := f.b.QueuePurge(f.ctx, &backend.QueuePurgeParams{QueueID: f.queue})
	f.must("QueuePurge", err)
	if n != 12 {
		f.Fatalf("QueuePurge deleted %d messages, want 12", n)
	}
	f.wantCounts(backend.MessageCounts{Archived: 1})
	f.expire()
	f.wantIDs(f.dequeue(100))
	if r := f.get(held[0].ID); r.State != backend.StateArchived {
		f.Fatalf("the archived message is %s", r.State)
	}
	_, err = f.b.MessageGet(f.ctx, &backend.MessageGetParams{ID: held[1].ID})
	f.wantError("MessageGet of a purged message", err, backend.ErrMessageNotFound)
	n, err = f.b.QueuePurge(f.ctx, &backend.QueuePurgeParams{QueueID: f.queue})
	f.must("QueuePurge", err)
	if n != 0 {
		f.Fatalf("a second QueuePurge deleted %d messages", n)
	}
}

func purgeEndsLeases(f *fixture) {
	first := f.queue
	f.produce(1)
	held := f.dequeue(1)
	f.queue = f.newQueue()
	other := f.produce(2)
	_, err := f.b.QueuePurge(f.ctx, &backend.QueuePurgeParams{QueueID: first})
	f.must("QueuePurge", err)
	f.wantIDs(f.dequeue(10), other...)
	f.queue = first
	f.wantNotHeld(deliveryOf(held[0]))
	later := f.produce(2)
	f.wantIDs(f.dequeue(10), later...)
}
