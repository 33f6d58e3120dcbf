package backendtest

import (
	"strings"
	"sync"

	"github.com/pgqrs/pgqrs/core/backend"
)

var queueTests = []test{
	{"a created queue is found by its name", createdQueueIsFound},
	{"a name is taken once", nameIsTakenOnce},
	{"ensure makes a queue once however many ask at the same time", ensureMakesOne},
	{"a queue that nobody made is not found", missingQueueIsNotFound},
	{"names are kept to the character", namesAreKept},
	{"queues are listed by name, page by page", queuesAreListed},
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
