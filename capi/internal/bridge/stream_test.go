package bridge

import (
	"context"
	"testing"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// feed is a stream's Next that hands out what the test sends.
func feed() (chan *Batch, func(context.Context) (*Batch, error)) {
	batches := make(chan *Batch)
	return batches, func(ctx context.Context) (*Batch, error) {
		select {
		case b := <-batches:
			return b, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func openStream(t *testing.T, p *program, op uint64) *Stream {
	t.Helper()
	st, refusal := p.store.ConsumeIter(op, []byte("q"), ConsumeOptions{})
	accepted(t, refusal)
	return st
}

func TestStreamAnswersEachCreditByOneBatch(t *testing.T) {
	batches, next := feed()
	p := connected(t, &fakeCore{next: next})
	st := openStream(t, p, 1)
	select {
	case batches <- newBatch(&fakeKeeper{}, "1"):
		t.Fatal("it fetches without a credit")
	default:
	}
	for range 3 {
		accepted(t, st.Credit())
	}
	for range 3 {
		keeper := &fakeKeeper{}
		batches <- newBatch(keeper, "1", "2")
		c := p.wait(1)
		if c.Kind != ResultBatch || c.Flags != FlagMore || c.Value != 2 || c.Status != StatusOK {
			t.Fatalf("%+v", c)
		}
		p.library.discard(c)
		if keeper.freed.Load() != 1 {
			t.Error("the batch was not freed")
		}
	}
	if p.store.ring.places != 1 {
		t.Errorf("%d places are taken, not the one of the stream's end", p.store.ring.places)
	}
	st.Close()
	if c := p.wait(1); c.Kind != ResultNone || c.Flags != 0 || c.Status != StatusOK {
		t.Errorf("the last completion: %+v", c)
	}
	if p.core.closedStreams.Load() != 1 {
		t.Error("the stream of the core was not closed")
	}
	refused(t, st.Credit(), StatusBadHandle)
	st.Close() // a second time is nothing
}

func TestStreamEndsByWhatItsSourceSays(t *testing.T) {
	cases := map[string]struct {
		next   func(context.Context) (*Batch, error)
		status Status
	}{
		"empty": {endOfQueue, StatusOK},
		"error": {func(context.Context) (*Batch, error) {
			return nil, backend.Errorf(backend.ErrQueueNotFound, "no queue")
		}, StatusQueueNotFound},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			credited := make(chan struct{})
			p := connected(t, &fakeCore{next: func(ctx context.Context) (*Batch, error) {
				<-credited // a stream that has ended takes no credit
				return c.next(ctx)
			}})
			st := openStream(t, p, 1)
			for range 5 {
				accepted(t, st.Credit())
			}
			close(credited)
			p.expect(1, c.status)
			if p.store.ring.places != 0 {
				t.Errorf("%d places are still taken", p.store.ring.places)
			}
			refused(t, st.Credit(), StatusBadHandle)
		})
	}
}

// openFails is a core that refuses to open a stream.
type openFails struct{ *fakeCore }

func (openFails) Stream(string, pgqrs.StreamOptions) (Source, error) {
	return nil, backend.Errorf(backend.ErrInvalid, "bad name")
}

func TestStreamThatCannotBeOpenedCompletesWithTheError(t *testing.T) {
	core := &fakeCore{}
	p := opening(t, core, func(context.Context, []byte, Hooks) (Core, error) { return openFails{core}, nil })
	p.expect(connectOp, StatusOK)
	openStream(t, p, 1)
	if message := p.expect(1, StatusInvalid); message != "bad name" {
		t.Error(message)
	}
}

func TestStreamEndsNormallyWhenItsStoreCloses(t *testing.T) {
	p := connected(t, &fakeCore{})
	idle, busy := openStream(t, p, 1), openStream(t, p, 2)
	accepted(t, busy.Credit())
	accepted(t, p.store.Close(3))
	p.expect(3, StatusOK)
	p.expect(1, StatusOK)
	p.expect(2, StatusOK)
	refused(t, idle.Credit(), StatusBadHandle)
	if p.core.closedStreams.Load() != 2 {
		t.Error("a stream of the core was not closed")
	}
}

func TestStreamCanBeCancelled(t *testing.T) {
	p := connected(t, &fakeCore{})
	st := openStream(t, p, 1)
	accepted(t, st.Credit())
	accepted(t, p.store.Cancel(1))
	p.expect(1, StatusCancelled)
}

func TestStreamGivesBackTheBatchThatComesAfterItsClose(t *testing.T) {
	keeper := &fakeKeeper{}
	asked := make(chan struct{})
	p := connected(t, &fakeCore{next: func(ctx context.Context) (*Batch, error) {
		close(asked)
		<-ctx.Done()
		return newBatch(keeper, "1"), nil
	}})
	st := openStream(t, p, 1)
	accepted(t, st.Credit())
	<-asked
	st.Close()
	if c := p.wait(1); c.Flags != 0 || c.Status != StatusOK {
		t.Errorf("%+v", c)
	}
	if keeper.freed.Load() != 1 {
		t.Error("the batch was not given back")
	}
}

func TestCreditReservesAPlace(t *testing.T) {
	p := connected(t, &fakeCore{})
	p.store.ring.limit = 3
	st := openStream(t, p, 1)
	accepted(t, st.Credit())
	accepted(t, st.Credit())
	refused(t, st.Credit(), StatusFull)
	st.Close()
	p.expect(1, StatusOK)
	if p.store.ring.places != 0 {
		t.Errorf("%d places are still taken", p.store.ring.places)
	}
}

func TestStreamWithoutMemoryEnds(t *testing.T) {
	keeper := &fakeKeeper{}
	batches, next := feed()
	p := connected(t, &fakeCore{next: next})
	st := openStream(t, p, 1)
	accepted(t, st.Credit())
	p.memory.none.Store(true)
	batches <- newBatch(keeper, "1")
	if c := p.wait(1); c.Status != StatusNoMemory || c.Flags != 0 {
		t.Errorf("%+v", c)
	}
	p.memory.none.Store(false)
	if keeper.freed.Load() != 1 {
		t.Error("the messages did not go back")
	}
}
