package backendtest

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

var produceTests = []test{
	{"ids ascend within a call and from call to call", idsAscend},
	{"nothing is produced for no payloads", nothingIsProduced},
	{"payloads come back to the byte", payloadsAreExact},
	{"a payload of one megabyte comes back", largePayload},
	{"a message keeps when it was produced", producedAtIsKept},
	{"a delayed message becomes ready at its moment", delayedMessage},
	{"100000 messages in one call keep their order", manyInOneCall},
	{"the payload belongs to the caller again when produce returns", payloadIsCopied},
	{"calls at the same time have ids of their own", concurrentProduce},
}

func idsAscend(f *fixture) {
	var all []int64
	for _, n := range []int{1, 3, 1, 700, 2} {
		all = append(all, f.produce(n)...)
	}
	if all[0] <= 0 || !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
		f.Fatalf("ids are %v", short(all))
	}
}

func nothingIsProduced(f *fixture) {
	if ids := f.producePayloads(nil, 0); len(ids) != 0 {
		f.Fatalf("ids for no payloads are %v", ids)
	}
	f.wantCounts(backend.MessageCounts{})
}

func payloadsAreExact(f *fixture) {
	payloads := [][]byte{
		[]byte(`1e300`), []byte(`-0.0`), []byte(`1.0`), []byte(`1.10`), []byte(`0.1e-7`), []byte(`-0`),
		[]byte(`12345678901234567890123456789012345678901234567890`),
		[]byte(`{"b":1,"a":2,"b":3}`), []byte(`{ "spaced" : [ 1 , 2 ] }`), []byte("\n{\"a\"\t:1}\r\n"),
		[]byte(`""`), []byte(`null`), []byte(`true`), []byte(`[]`), []byte(`{}`), []byte(`{"":""}`),
		[]byte(`"\u00e9 é \ud83d\ude00 😀 \/ \\ \" \b\f\n\r\t \u007f"`), []byte(`"'; drop table pgqrs_log; --"`),
		[]byte(`"\\N"`), []byte(`"a,b{c}\"d"`), []byte("\"\u2028\u2029\ufeff\uffff\""),
		[]byte(strings.Repeat("[", 500) + strings.Repeat("]", 500)),
		[]byte(strings.Repeat("9", 4300)),
	}
	ids := f.producePayloads(payloads, 0)
	messages := f.dequeue(len(payloads))
	f.wantIDs(messages, ids...)
	for i, m := range messages {
		if !bytes.Equal(m.Payload, payloads[i]) {
			f.Errorf("payload %q came back as %q", payloads[i], m.Payload)
		}
		if got := f.get(m.ID).Payload; !bytes.Equal(got, payloads[i]) {
			f.Errorf("payload %q is shown as %q", payloads[i], got)
		}
	}
	f.archive(deliveriesOf(messages)...)
	for i, id := range ids {
		if got := f.get(id).Payload; !bytes.Equal(got, payloads[i]) {
			f.Errorf("archived payload %q is shown as %q", payloads[i], got)
		}
	}
}

func largePayload(f *fixture) {
	large := []byte(`"` + strings.Repeat("0123456789abcdef", 1<<16) + `"`)
	f.producePayloads([][]byte{[]byte("1"), large, []byte("2")}, 0)
	m := f.dequeue(3)
	if len(m) != 3 || !bytes.Equal(m[1].Payload, large) || string(m[0].Payload) != "1" || string(m[2].Payload) != "2" {
		f.Fatalf("the large payload or its neighbours came back changed")
	}
}

func producedAtIsKept(f *fixture) {
	produced := f.now
	f.produceDelayed(1, time.Second)
	f.later(time.Minute)
	m := f.dequeue(1)[0]
	if !m.EnqueuedAt.Equal(produced) || m.QueueID != f.queue {
		f.Fatalf("enqueued at %v in queue %d, want %v in %d", m.EnqueuedAt, m.QueueID, produced, f.queue)
	}
}

func delayedMessage(f *fixture) {
	late := f.produceDelayed(2, 10*time.Second)
	early := f.produceDelayed(2, 5*time.Second)
	f.wantCounts(backend.MessageCounts{Delayed: 4})
	f.later(5*time.Second - time.Microsecond)
	f.wantIDs(f.dequeue(10))
	f.later(time.Microsecond)
	f.wantCounts(backend.MessageCounts{Ready: 2, Delayed: 2})
	f.wantIDs(f.dequeue(10), early...)
	f.later(5 * time.Second)
	f.wantIDs(f.dequeue(10), late...)
}

func manyInOneCall(f *fixture) {
	const n = 100000
	ids := f.produce(n)
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != n {
		f.Fatal("the ids do not ascend")
	}
	f.wantCounts(backend.MessageCounts{Ready: n})
	var next int
	for next < n {
		messages := f.dequeue(10000)
		if len(messages) == 0 {
			f.Fatalf("the queue is empty after %d messages", next)
		}
		for _, m := range messages {
			if m.ID != ids[next] || string(m.Payload) != strconv.Itoa(next) {
				f.Fatalf("message %d is %d with payload %s, want %d", next, m.ID, m.Payload, ids[next])
			}
			next++
		}
	}
	f.wantIDs(f.dequeue(1))
	_, err := f.b.QueuePurge(f.ctx, &backend.QueuePurgeParams{QueueID: f.queue})
	f.must("QueuePurge", err)
}

func payloadIsCopied(f *fixture) {
	payload := []byte(`"before"`)
	f.producePayloads([][]byte{payload}, 0)
	copy(payload, `"AFTER!"`)
	m := f.dequeue(1)[0]
	if string(m.Payload) != `"before"` {
		f.Fatalf("the payload is %s", m.Payload)
	}
	copy(m.Payload, `"XXXXXX"`)
	if got := f.get(m.ID).Payload; string(got) != `"before"` {
		f.Fatalf("the payload changed with the received one: %s", got)
	}
}

func concurrentProduce(f *fixture) {
	const callers, calls, size = 8, 10, 7
	var mu sync.Mutex
	seen := make(map[int64]bool)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			last := int64(0)
			for range calls {
				ids, err := f.b.MessageProduce(f.ctx, &backend.MessageProduceParams{
					QueueID: f.queue, Payloads: ones(size), At: f.now,
				})
				if err != nil || len(ids) != size || ids[0] <= last || !slices.IsSorted(ids) {
					f.Errorf("MessageProduce returned %v after %d, %v", ids, last, err)
					return
				}
				last = ids[size-1]
				mu.Lock()
				for _, id := range ids {
					if seen[id] {
						f.Errorf("id %d was given twice", id)
					}
					seen[id] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != callers*calls*size {
		f.Fatalf("%d ids, want %d", len(seen), callers*calls*size)
	}
	f.wantCounts(backend.MessageCounts{Ready: callers * calls * size})
}
