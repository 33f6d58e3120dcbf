package bridge

import (
	"context"
	"flag"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

var seed = flag.Uint64("seed", 0, "of the random schedules; 0: a new one")

// Whatever threads submit, cancel and close, and whatever the core answers: each
// accepted operation completes once, the close last, and nothing is left over.
func TestEveryAcceptedOperationCompletesOnceUnderRandomSchedules(t *testing.T) {
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	for round := range uint64(60) {
		s := schedule{seed: first + round, t: t}
		s.run()
		if t.Failed() {
			t.Fatalf("the schedule that failed is -seed=%d", s.seed)
		}
	}
}

// schedule is one life of a store, driven by random numbers.
type schedule struct {
	t       *testing.T
	seed    uint64
	panics  bool // one in a few schedules has a core that panics
	keepers struct {
		sync.Mutex
		all []*fakeKeeper
	}

	library *Library
	memory  *goMemory
	store   *Store

	accepted [submitters]map[uint64]bool // by submitter: ops that were accepted
	threads  sync.WaitGroup
	produces sync.WaitGroup // goroutines of the core; a panic in one starts goroutines of the library
	submits  atomic.Int64
	due      atomic.Int64 // how many must complete; 0: not known yet
}

const (
	submitters = 4
	operations = 60
	closeOp    = 1 << 40
)

func (s *schedule) run() {
	random := rand.New(rand.NewPCG(s.seed, 0))
	s.panics = random.IntN(4) == 0
	s.memory = newGoMemory()
	s.library = NewLibrary(s.memory, func(context.Context, []byte, Hooks) (Core, error) { return &randomCore{s: s}, nil })
	store, refusal := s.library.Connect(connectOp, nil)
	accepted(s.t, refusal)
	s.store = store
	for store.Wait(patience); store.Produce(0, nil, nil, -1, 0).Status != StatusBadArgument; {
		runtime.Gosched()
	}

	counts := make(chan map[uint64]int)
	go s.drain(random.Uint64(), counts)
	for i := range submitters {
		s.accepted[i] = make(map[uint64]bool)
		numbers := rand.New(rand.NewPCG(s.seed, uint64(i)+1))
		s.threads.Go(func() { s.submit(i, numbers) })
	}
	closeAfter := random.Int64N(submitters * operations)
	for s.submits.Load() < closeAfter {
		runtime.Gosched()
	}
	closing := store.Close(closeOp)
	s.threads.Wait()
	if closing != nil && (!s.panics || closing.Status != StatusPoisoned) {
		s.t.Errorf("the close was refused: %+v", closing)
	}
	s.check(counts, closing == nil)
}

// submit is one thread of the program.
func (s *schedule) submit(thread int, random *rand.Rand) {
	defer s.submits.Add(operations) // however it ends, the close is not waited for
	var streams []*Stream
	for i := range operations {
		number := uint64(thread*operations + i)
		var refusal *Refusal
		switch random.IntN(11) {
		case 0, 1:
			refusal = s.store.Produce(number, []byte("q"), []byte("1"), 0, 0)
		case 2:
			refusal = s.store.ProduceBatch(number, []byte("q"), []byte("12"), []uint64{1, 1}, 0, 0)
		case 3:
			refusal = s.store.Dequeue(number, 9, 1, 0)
		case 4:
			refusal = s.store.Archive(number, Target{QueueID: 1, Leases: []int64{1}, IDs: []int64{1}})
		case 5:
			var st *Stream
			if st, refusal = s.store.ConsumeIter(number, []byte("q"), ConsumeOptions{}); refusal == nil {
				streams = append(streams, st)
			}
		case 6:
			refusal = s.store.Admit(number, []byte("q"), []byte("12"), []uint64{1, 1}, 1, 0, 0)
		case 7:
			refusal = s.store.Detach(number, Target{QueueID: 1, Leases: []int64{1}, IDs: []int64{1}})
		case 8:
			refusal = s.store.ProduceArray(number, []byte("q"), []byte([]string{"[1,2]", "[1"}[i%2]), 0, 0)
		case 9:
			refusal = s.store.ProduceKeyed(number, []byte("q"), []byte("12"), []uint64{1, 1}, []byte("k"), []uint64{0, 1}, 1, 0, 0, 0)
		case 10:
			s.store.Cancel(uint64(random.IntN(submitters * operations)))
			continue
		}
		if refusal == nil {
			s.accepted[thread][number] = true
		}
		for _, st := range streams {
			switch random.IntN(4) {
			case 0, 1:
				st.Credit()
			case 2:
				st.Close()
			}
		}
		s.submits.Add(1)
	}
}

// drain is the loop of the program: it counts the last completions by op until
// there are as many as check says that there must be.
func (s *schedule) drain(seed uint64, counts chan<- map[uint64]int) {
	random := rand.New(rand.NewPCG(seed, 0))
	count := make(map[uint64]int)
	out := make([]Completion, 9)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if due := s.due.Load(); due > 0 && int64(len(count)) >= due {
			break
		}
		s.store.Wait(time.Millisecond)
		n, _ := s.store.Drain(out[:1+random.IntN(len(out))])
		for _, c := range out[:n] {
			if count[c.Op] > 0 || count[closeOp] > 0 {
				s.t.Errorf("%d comes after its last completion, or after that of the close", c.Op)
			}
			if c.Flags&FlagMore == 0 {
				count[c.Op]++
			}
			s.library.discard(c)
		}
	}
	if n, _ := s.store.Drain(out); n != 0 {
		s.t.Errorf("%d completions too many", n)
	}
	counts <- count
}

func (s *schedule) check(counts <-chan map[uint64]int, closes bool) {
	expected := []uint64{connectOp}
	if closes {
		expected = append(expected, closeOp)
	}
	for _, ops := range s.accepted {
		for op := range ops {
			expected = append(expected, op)
		}
	}
	s.due.Store(int64(len(expected)))
	count := <-counts
	for _, op := range expected {
		if count[op] != 1 {
			s.t.Errorf("operation %d completed %d times", op, count[op])
		}
	}
	if len(count) != len(expected) {
		s.t.Errorf("%d operations completed, %d were accepted", len(count), len(expected))
	}
	if s.store.ring.places != 0 {
		s.t.Errorf("%d places of the ring are still taken", s.store.ring.places)
	}
	accepted(s.t, s.store.Free())
	s.produces.Wait()
	s.library.goroutines.Wait()
	s.memory.check(s.t)
	s.keepers.Lock()
	defer s.keepers.Unlock()
	for _, k := range s.keepers.all {
		if k.freed.Load() != 1 {
			s.t.Errorf("a batch was freed %d times", k.freed.Load())
		}
	}
}

// randomCore answers now or later, with a result, an error or a panic; it always
// heeds its context.
type randomCore struct{ s *schedule }

func (c *randomCore) newBatch() *Batch {
	k := &fakeKeeper{}
	c.s.keepers.Lock()
	c.s.keepers.all = append(c.s.keepers.all, k)
	c.s.keepers.Unlock()
	return newBatch(k, "1", "2")
}

// chance takes some time, or until ctx ends, and then comes to something.
func (c *randomCore) chance(ctx context.Context) error {
	switch n := rand.IntN(12); {
	case n < 3:
		runtime.Gosched()
	case n < 5:
		return wait(ctx)
	case n < 6:
		return backend.Errorf(backend.ErrConnection, "lost")
	case n < 7 && c.s.panics && rand.IntN(20) == 0:
		panic("at random")
	}
	return nil
}

func (c *randomCore) ProduceAsync(ctx context.Context, _ string, _ []byte, _ pgqrs.ProduceOptions, done func(int64, error)) {
	if rand.IntN(3) == 0 {
		done(1, nil)
		return
	}
	c.async(func() { done(1, c.chance(ctx)) }, func(err error) { done(0, err) })
}

func (c *randomCore) Admit(ctx context.Context, _ string, _ [][]byte, _ pgqrs.ProduceOptions, _ bool) (*pgqrs.Admission, error) {
	return &pgqrs.Admission{}, c.chance(ctx)
}

func (c *randomCore) Detach(ctx context.Context, t pgqrs.Target) (*pgqrs.Detachment, error) {
	return &pgqrs.Detachment{Deliveries: t.Deliveries}, c.chance(ctx)
}

func (c *randomCore) ProduceBatchAsync(ctx context.Context, _ string, payloads [][]byte, _ pgqrs.ProduceOptions, done func([]int64, error)) {
	c.async(func() { done(make([]int64, len(payloads)), c.chance(ctx)) }, func(err error) { done(nil, err) })
}

func (c *randomCore) ProduceKeyedAsync(ctx context.Context, _ string, payloads [][]byte, _ []string, _ pgqrs.ProduceOptions, _ bool, done func([]pgqrs.Produced, error)) {
	c.async(func() { done(make([]pgqrs.Produced, len(payloads)), c.chance(ctx)) }, func(err error) { done(nil, err) })
}

func (c *randomCore) HasRoom() bool { return true }

func (c *randomCore) Register(ctx context.Context, _ pgqrs.Role, _, _ string, _ int) (*backend.Worker, error) {
	return &backend.Worker{}, c.chance(ctx)
}

// async does something in a goroutine of the core, which ends with the schedule.
func (c *randomCore) async(do func(), failed func(error)) {
	c.s.produces.Go(func() {
		defer func() {
			if recover() != nil {
				c.s.store.panicked("in a goroutine of the core", nil)
				failed(backend.ErrClosed)
			}
		}()
		do()
	})
}

func (c *randomCore) DequeueAsync(ctx context.Context, _ int64, _ int, _ time.Duration, done func(*Batch, error)) {
	c.async(func() {
		if err := c.chance(ctx); err != nil && rand.IntN(2) == 0 {
			done(nil, err)
			return
		}
		done(c.newBatch(), nil)
	}, func(err error) { done(nil, err) })
}

func (c *randomCore) Administered() *pgqrs.Store { return nil }

func (c *randomCore) Stream(string, pgqrs.StreamOptions) (Source, error) {
	return c, nil
}

func (c *randomCore) Next(ctx context.Context) (*Batch, error) {
	if rand.IntN(20) == 0 {
		return nil, io.EOF
	}
	if err := c.chance(ctx); err != nil && rand.IntN(2) == 0 {
		return nil, err
	}
	return c.newBatch(), nil
}

func (c *randomCore) SettleAsync(_ pgqrs.Settlement, t pgqrs.Target, done func([]backend.Extension, error)) {
	answers := make([]backend.Extension, len(t.Deliveries))
	if rand.IntN(3) == 0 {
		done(answers, nil)
		return
	}
	c.async(func() {
		ctx, stop := context.WithTimeout(context.Background(), time.Millisecond)
		defer stop()
		done(answers, c.chance(ctx))
	}, func(err error) { done(nil, err) })
}

func (c *randomCore) Close(context.Context) error { return nil }
