package pgqrs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// produced is the answer of a ProduceAsync.
type produced struct {
	id  int64
	err error
}

func produceAsync(ctx context.Context, s *pgqrs.Store, queue, payload string) <-chan produced {
	c := make(chan produced, 2) // room for one too many
	s.ProduceAsync(ctx, queue, []byte(payload), pgqrs.ProduceOptions{}, func(id int64, err error) { c <- produced{id, err} })
	return c
}

func texts(all ...string) [][]byte {
	payloads := make([][]byte, len(all))
	for i, text := range all {
		payloads[i] = []byte(text)
	}
	return payloads
}

func TestUnawaitedProducesAreStoredInCallOrder(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		s := p.through(t, f.wrap)
		const n = 1000
		answers := make([]<-chan produced, n)
		for i := range answers {
			answers[i] = produceAsync(t.Context(), s, "tasks", fmt.Sprint(i))
		}
		ids := make([]int64, n)
		for i, c := range answers {
			a := receive(t, "an answer", c)
			if a.err != nil {
				t.Fatal(a.err)
			}
			ids[i] = a.id
		}
		if !slices.IsSorted(ids) || len(slices.Compact(ids)) != n {
			t.Fatal("the ids do not ascend in call order")
		}
		if text := string(p.record(t, ids[n-1]).Payload); text != fmt.Sprint(n-1) {
			t.Fatalf("the last id holds %s", text)
		}
		if calls := f.countCalls("produce"); calls > n/2 {
			t.Errorf("%d calls took %d statements: they were not coalesced", n, calls)
		}
	})
}

func TestABadPayloadFailsAloneAmongCoalescedOnes(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		held, let := make(chan struct{}), make(chan struct{})
		var once sync.Once
		f.failBefore("produce", func(context.Context) error {
			once.Do(func() { close(held); <-let })
			return nil
		})
		s := p.through(t, f.wrap)
		first := produceAsync(t.Context(), s, "tasks", `"on its way"`)
		receive(t, "the first statement", held)
		good := produceAsync(t.Context(), s, "tasks", `"good"`)
		bad := produceAsync(t.Context(), s, "tasks", `{"bad": `)
		worse := produceAsync(t.Context(), s, "tasks", `"\u0000"`)
		better := produceAsync(t.Context(), s, "tasks", `"better"`)
		close(let)
		for _, c := range []<-chan produced{first, good, better} {
			if a := receive(t, "an answer", c); a.err != nil || a.id == 0 {
				t.Errorf("a good payload: %+v", a)
			}
		}
		for _, c := range []<-chan produced{bad, worse} {
			if a := receive(t, "an answer", c); !errors.Is(a.err, pgqrs.ErrSerialization) {
				t.Errorf("a bad payload: %+v", a)
			}
		}
		if calls := f.countCalls("produce"); calls != 2 {
			t.Errorf("%d statements instead of 2", calls)
		}
		if c := p.counts(t, "tasks"); c.Ready != 3 {
			t.Errorf("%+v", c)
		}
	})
}

func TestWhatTheServerRefusesFailsAloneAmongCoalescedOnes(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		refusing := &refuser{}
		held, let := make(chan struct{}), make(chan struct{})
		var once sync.Once
		refusing.first = func() { once.Do(func() { close(held); <-let }) }
		s := p.through(t, func(b backend.Backend) backend.Backend { refusing.Backend = b; return refusing })
		first := produceAsync(t.Context(), s, "tasks", "0")
		receive(t, "the first statement", held)
		var answers []<-chan produced
		for i := range 16 {
			text := fmt.Sprint(i)
			if i == 11 {
				text = `"refuse me"`
			}
			answers = append(answers, produceAsync(t.Context(), s, "tasks", text))
		}
		close(let)
		receive(t, "an answer", first)
		var ids []int64
		for i, c := range answers {
			a := receive(t, "an answer", c)
			if (a.err != nil) != (i == 11) {
				t.Errorf("message %d: %v", i, a.err)
			}
			if a.err == nil {
				ids = append(ids, a.id)
			}
		}
		if !slices.IsSorted(ids) {
			t.Error("the others lost their order")
		}
	})
}

// refuser refuses payloads that say so, as a server would that knows better.
type refuser struct {
	backend.Backend
	first func()
}

func (r *refuser) MessageProduce(ctx context.Context, p *backend.MessageProduceParams) ([]int64, error) {
	r.first()
	for _, payload := range p.Payloads {
		if strings.Contains(string(payload), "refuse me") {
			return nil, backend.Errorf(backend.ErrInvalid, "the server says no")
		}
	}
	return r.Backend.MessageProduce(ctx, p)
}

func TestProduceBatchNamesTheBadPayloadAndStoresNothing(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		_, err := s.ProduceBatch(t.Context(), "tasks", texts("1", "2", "nonsense", "4"), pgqrs.ProduceOptions{})
		var e *pgqrs.Error
		if !errors.As(err, &e) || !errors.Is(err, pgqrs.ErrSerialization) || e.Index != 2 || !strings.Contains(e.Message, "index 2") {
			t.Fatalf("%#v", err)
		}
		if c := p.counts(t, "tasks"); c != (backend.MessageCounts{}) {
			t.Errorf("%+v", c)
		}
		_, err = pgqrs.Enqueue().Messages(1, func() {}).To("tasks").Execute(t.Context(), s)
		if !errors.As(err, &e) || !errors.Is(err, pgqrs.ErrSerialization) || e.Index != 1 {
			t.Errorf("a function as message: %v", err)
		}
	})
}

func TestProduceBatchOf100000KeepsOrder(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		const n = 100_000
		payloads := make([][]byte, n)
		for i := range payloads {
			payloads[i] = fmt.Append(nil, i)
		}
		ids, err := s.ProduceBatch(t.Context(), "tasks", payloads, pgqrs.ProduceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(ids) != n || !slices.IsSorted(ids) {
			t.Fatalf("%d ids, ascending: %v", len(ids), slices.IsSorted(ids))
		}
		w, err := s.Register(t.Context(), pgqrs.RoleConsumer, "tasks", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.DequeueBatch(t.Context(), w.ID, pgqrs.MaxBatchSize, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Free()
		if len(b.Messages) != pgqrs.MaxBatchSize {
			t.Fatalf("%d messages", len(b.Messages))
		}
		for i := range b.Messages {
			if m := &b.Messages[i]; m.ID != ids[i] || string(m.Payload) != fmt.Sprint(i) {
				t.Fatalf("the %dth is %d %s", i, m.ID, m.Payload)
			}
		}
	})
}

func TestAnEmptyBatchIsNoError(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids, err := s.ProduceBatch(t.Context(), "tasks", nil, pgqrs.ProduceOptions{})
		if err != nil || ids == nil || len(ids) != 0 {
			t.Fatal(ids, err)
		}
	})
}

func TestAProduceWhoseAnswerWasLostSaysSoAndIsNotRepeated(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		f.failAfter("produce", times(1, lostAnswer()))
		s := p.through(t, f.wrap)
		_, err := s.Produce(t.Context(), "tasks", []byte("1"), pgqrs.ProduceOptions{})
		var e *pgqrs.Error
		if !errors.As(err, &e) || !e.MaybeCommitted || !errors.Is(err, pgqrs.ErrConnection) || pgqrs.SafeToRetry(err) {
			t.Fatalf("%#v", err)
		}
		if c := p.counts(t, "tasks"); c.Ready != 1 || f.countCalls("produce") != 1 {
			t.Errorf("%+v after %d calls", c, f.countCalls("produce"))
		}
	})
}

func TestAProduceIsTriedAgainWhileTheServerCannotBeReached(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		f.failBefore("produce", times(3, unreachable()))
		s := p.through(t, f.wrap)
		if _, err := s.Produce(t.Context(), "tasks", []byte("1"), pgqrs.ProduceOptions{}); err != nil {
			t.Fatal(err)
		}
		f = newFaulty()
		f.failBefore("produce", always(unreachable()))
		s = p.through(t, f.wrap, pgqrs.WithConnectTimeout(time.Second))
		_, err := s.Produce(t.Context(), "tasks", []byte("1"), pgqrs.ProduceOptions{})
		if !errors.Is(err, pgqrs.ErrConnection) || !pgqrs.SafeToRetry(err) {
			t.Fatal(err)
		}
	})
}

func TestAProduceThatIsCancelledIsStoredWholeOrNotAtAll(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		held, let := make(chan struct{}), make(chan struct{})
		f.failBefore("produce", func(context.Context) error { close(held); <-let; return nil })
		s := p.through(t, f.wrap)
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() {
			_, err := s.ProduceBatch(ctx, "tasks", texts("1", "2"), pgqrs.ProduceOptions{})
			failed <- err
		}()
		receive(t, "the statement", held)
		cancel()
		if err := receive(t, "the cancelled call", failed); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		late := produceAsync(ctx, s, "tasks", "3") // cancelled before it was sent
		close(let)
		if a := receive(t, "an answer", late); !errors.Is(a.err, context.Canceled) {
			t.Error(a)
		}
		until(t, "the first two are stored", func() bool { return p.counts(t, "tasks").Ready == 2 })
	})
}

func TestADeadlineSaysThatTheMessagesMayBeStored(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		f := newFaulty()
		let := make(chan struct{})
		f.failBefore("produce", func(context.Context) error { <-let; return nil })
		s := p.through(t, f.wrap)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := s.Produce(ctx, "tasks", []byte("1"), pgqrs.ProduceOptions{})
		close(let)
		var e *pgqrs.Error
		if !errors.Is(err, pgqrs.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &e) || !e.MaybeCommitted {
			t.Fatalf("%#v", err)
		}
	})
}

func TestWithoutAutoCreateQueuesAMissingQueueIsAnError(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t, pgqrs.WithoutAutoCreateQueues())
		_, err := pgqrs.Enqueue().Message(1).To("nowhere").Execute(t.Context(), s)
		if !errors.Is(err, pgqrs.ErrQueueNotFound) {
			t.Errorf("produce: %v", err)
		}
		if _, err = s.Consumer(t.Context(), "nowhere"); !errors.Is(err, pgqrs.ErrQueueNotFound) {
			t.Errorf("consumer: %v", err)
		}
		st, err := s.OpenStream("nowhere", pgqrs.StreamOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = st.Next(t.Context()); !errors.Is(err, pgqrs.ErrQueueNotFound) {
			t.Errorf("stream: %v", err)
		}
		if err := st.Close(t.Context()); err != nil {
			t.Error(err)
		}
		p.produce(t, "somewhere", 0)
		if _, err := pgqrs.Enqueue().Message(1).To("somewhere").Execute(t.Context(), s); err != nil {
			t.Errorf("a queue that exists: %v", err)
		}
	})
}

func TestArgumentsOutOfRangeAreRefused(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		refused := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, pgqrs.ErrInvalid) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for _, queue := range []string{"", strings.Repeat("ä", 256), "a\x00b", "\xff"} {
			_, err := s.Produce(t.Context(), queue, []byte("1"), pgqrs.ProduceOptions{})
			refused(fmt.Sprintf("queue %q", queue), err)
			_, err = s.OpenStream(queue, pgqrs.StreamOptions{})
			refused(fmt.Sprintf("stream of queue %q", queue), err)
		}
		for _, delay := range []time.Duration{-1, pgqrs.MaxDelay + 1} {
			_, err := s.Produce(t.Context(), "tasks", []byte("1"), pgqrs.ProduceOptions{Delay: delay})
			refused(delay.String(), err)
		}
		for _, vt := range []time.Duration{-1, pgqrs.MinVT - 1, pgqrs.MaxVT + 1} {
			_, err := s.OpenStream("tasks", pgqrs.StreamOptions{VT: vt})
			refused("vt "+vt.String(), err)
		}
		for _, n := range []int{-1, pgqrs.MaxBatchSize + 1} {
			_, err := s.OpenStream("tasks", pgqrs.StreamOptions{BatchSize: n})
			refused(fmt.Sprintf("batch size %d", n), err)
		}
		name := strings.Repeat("ä", 255)
		if _, err := s.Produce(t.Context(), name, []byte("1"), pgqrs.ProduceOptions{}); err != nil {
			t.Errorf("a name of 255 characters: %v", err)
		}
		name = `'; drop table "pgqrs_log"; --`
		if _, err := s.Produce(t.Context(), name, []byte("1"), pgqrs.ProduceOptions{}); err != nil {
			t.Errorf("a name like SQL: %v", err)
		}
		if c := p.counts(t, name); c.Ready != 1 {
			t.Errorf("a name like SQL: %+v", c)
		}
	})
}

func TestProducerMethodsReturnWhatTheyStored(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		producer, err := s.Producer(t.Context(), "tasks")
		if err != nil {
			t.Fatal(err)
		}
		one, err := producer.Enqueue(t.Context(), map[string]string{"html": "<a>"})
		if err != nil {
			t.Fatal(err)
		}
		many, err := producer.BatchEnqueue(t.Context(), []any{1, json.RawMessage(` {"b":1,"a":-0.0} `), nil})
		if err != nil {
			t.Fatal(err)
		}
		later, err := producer.EnqueueDelayed(t.Context(), "later", 3600)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range append([]*pgqrs.Message{one, later}, many...) {
			want := []string{`{"html":"<a>"}`, `"later"`, `1`, ` {"b":1,"a":-0.0} `, `null`}[i]
			r := p.record(t, m.ID)
			if string(r.Payload) != want || string(m.Payload) != want || r.ProducerWorkerID != producer.WorkerID() {
				t.Errorf("%s: %q, by worker %d", want, r.Payload, r.ProducerWorkerID)
			}
		}
		if state := p.state(t, later.ID); state != backend.StateDelayed {
			t.Errorf("the delayed one is %s", state)
		}
		if _, err := producer.EnqueueDelayed(t.Context(), 1, -1); !errors.Is(err, pgqrs.ErrInvalid) {
			t.Errorf("a negative delay: %v", err)
		}
	})
}
