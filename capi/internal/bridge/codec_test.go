package bridge

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"
	"unsafe"

	"github.com/pgqrs/pgqrs/core/backend"
)

// golden builds the expected bytes field by field, as pgqrs.h lists them.
type golden struct{ bytes.Buffer }

func (g *golden) put(values ...any) *golden {
	for _, v := range values {
		if err := binary.Write(g, binary.NativeEndian, v); err != nil {
			panic(err)
		}
	}
	return g
}

func content(p unsafe.Pointer, n int) []byte { return bytes.Clone(unsafe.Slice((*byte)(p), n)) }

func TestBatchLiesInMemoryAsTheHeaderSays(t *testing.T) {
	memory := newGoMemory()
	library := NewLibrary(memory, nil)
	keeper := &fakeKeeper{}
	b := newBatch(keeper, `{"a": 1}`, ``, `"ü"`)
	data := library.lend(b)

	const payloads = 72 + 3*48
	var want golden
	want.put(uint64(0), int64(41), int64(42)) // delivered, vt_us, deliver_by_ns
	want.put(uint64(payloads+8+4), int64(3), int64(1001), int64(1700000000000001), int64(9), uint64(3))
	want.put(int64(100), int64(1600000000000000), int64(50), int64(1), uint64(payloads), uint64(8))
	want.put(int64(101), int64(1600000000000001), int64(51), int64(2), uint64(payloads+8), uint64(0))
	want.put(int64(102), int64(1600000000000002), int64(52), int64(3), uint64(payloads+8), uint64(4))
	want.WriteString(`{"a": 1}"ü"`)
	if got := content(data, want.Len()); !bytes.Equal(got, want.Bytes()) {
		t.Errorf("batch:\n%x\nnot\n%x", got, want.Bytes())
	}

	if keeper.moved.Load() != 1 || unsafe.Pointer(keeper.control.Load()) != data {
		t.Error("the control was not moved to the head of the batch")
	}
	library.FreeBatch(uintptr(data))
	library.FreeBatch(uintptr(data))
	if keeper.freed.Load() != 1 {
		t.Errorf("the batch was freed %d times", keeper.freed.Load())
	}
	memory.check(t)
}

func TestBatchWithoutMemoryGoesBack(t *testing.T) {
	memory := newGoMemory()
	memory.none.Store(true)
	keeper := &fakeKeeper{}
	if NewLibrary(memory, nil).lend(newBatch(keeper, "1")) != nil {
		t.Fatal("a batch without memory")
	}
	if keeper.freed.Load() != 1 || keeper.moved.Load() != 0 {
		t.Error("the messages did not go back")
	}
}

func TestErrorLiesInMemoryAsTheHeaderSays(t *testing.T) {
	memory := newGoMemory()
	s := &Store{library: NewLibrary(memory, nil)}
	c := s.encodeFailure(77, failure{
		status: StatusInvalid, flags: FlagRetryable | FlagMaybeCommitted, index: 5, after: 1500 * time.Millisecond, sqlState: "22P02", message: "schlöß",
	})
	var want golden
	want.put(int32(-24), uint32(3), int64(5), int64(1_500_000), [8]byte{'2', '2', 'P', '0', '2'}, uint64(8))
	want.WriteString("schlöß\x00")
	if c.Op != 77 || c.Status != StatusInvalid || c.Kind != ResultError || c.Flags != 0 {
		t.Errorf("completion %+v", c)
	}
	if got := content(c.Data, want.Len()); !bytes.Equal(got, want.Bytes()) {
		t.Errorf("error:\n%x\nnot\n%x", got, want.Bytes())
	}
	memory.none.Store(true)
	if c := s.encodeFailure(1, failure{status: StatusInvalid}); c.Kind != ResultNone || c.Status != StatusInvalid || c.Data != nil {
		t.Errorf("without memory: %+v", c)
	}
}

func TestNumbersAnswersMomentsAndTextLieInMemoryAsTheHeaderSays(t *testing.T) {
	memory := newGoMemory()
	l := NewLibrary(memory, nil)
	end := time.UnixMicro(1700000000123456)
	cases := []struct {
		name   string
		encode func() (Completion, error)
		kind   Kind
		value  int64
		want   []byte
	}{
		{"ids", func() (Completion, error) { return l.encodeNumbers(ResultIDs, []int64{1, -2}) },
			ResultIDs, 2, (&golden{}).put(int64(1), int64(-2)).Bytes()},
		{"no ids", func() (Completion, error) { return l.encodeNumbers(ResultIDs, nil) }, ResultIDs, 0, nil},
		{"answers", func() (Completion, error) { return l.encodeHeld([]backend.Extension{{Held: true}, {}, {Held: true}}) },
			ResultAnswers, 3, []byte{1, 0, 1}},
		{"moments", func() (Completion, error) {
			return l.encodeMoments([]backend.Extension{{Held: true, VT: end}, {Held: false, VT: end}})
		}, ResultMoments, 2, (&golden{}).put(int64(1700000000123456), int64(0)).Bytes()},
		{"json", func() (Completion, error) { return l.encodeJSON(map[string]int{"a": 1}) },
			ResultJSON, 7, []byte("{\"a\":1}\x00")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.encode()
			if err != nil || got.Kind != c.kind || got.Value != c.value || got.Status != StatusOK {
				t.Fatalf("%+v %v", got, err)
			}
			if bytes := content(got.Data, len(c.want)); string(bytes) != string(c.want) {
				t.Errorf("%x, not %x", bytes, c.want)
			}
			memory.Free(got.Data)
		})
	}
	memory.check(t)
	memory.none.Store(true)
	for _, c := range cases {
		if _, err := c.encode(); describe(err, StatusOK).status != StatusNoMemory {
			t.Errorf("%s without memory: %v", c.name, err)
		}
	}
}

func TestErrorsOfTheCoreBecomeStatusCodes(t *testing.T) {
	wrapped := &backend.Error{Kind: backend.ErrConnection, Message: "lost", SQLState: "08006",
		MaybeCommitted: true, Index: 4, Cause: errors.New("reset")}
	cases := []struct {
		err   error
		ended Status
		want  failure
	}{
		{backend.Errorf(backend.ErrConfig, "m"), 0, failure{StatusConfig, 0, -1, "", "m", 0}},
		{backend.Errorf(backend.ErrInvalid, "m"), 0, failure{StatusInvalid, 0, -1, "", "m", 0}},
		{backend.Errorf(backend.ErrSerialization, "m"), 0, failure{StatusSerialization, 0, -1, "", "m", 0}},
		{backend.Errorf(backend.ErrQueueNotFound, "m"), 0, failure{StatusQueueNotFound, 0, -1, "", "m", 0}},
		{backend.Errorf(backend.ErrQueueExists, "m"), 0, failure{StatusQueueExists, 0, -1, "", "m", 0}},
		{backend.Errorf(backend.ErrMessageNotFound, "m"), 0, failure{StatusMessageNotFound, 0, -1, "", "m", 0}},
		{backend.Errorf(backend.ErrWorkerNotFound, "m"), 0, failure{StatusWorkerNotFound, 0, -1, "", "m", 0}},
		{backend.Errorf(backend.ErrTimeout, "m"), 0, failure{StatusTimeout, 0, -1, "", "m", 0}},
		{wrapped, 0, failure{StatusConnection, FlagMaybeCommitted, 4, "08006", "lost", 0}},
		{fmt.Errorf("outer: %w", wrapped), 0, failure{StatusConnection, FlagMaybeCommitted, 4, "08006", "outer: lost", 0}},
		{&backend.Error{Kind: backend.ErrConnection, Message: "m", SafeToRetry: true, Index: -1}, 0,
			failure{StatusConnection, FlagRetryable, -1, "", "m", 0}},
		{backend.Errorf(nil, "m"), 0, failure{StatusInternal, 0, -1, "", "m", 0}},
		{errors.New("m"), 0, failure{StatusInternal, 0, -1, "", "m", 0}},
		{context.DeadlineExceeded, 0, failure{StatusTimeout, 0, -1, "", "context deadline exceeded", 0}},
		{errCancelled, StatusCancelled, failure{StatusCancelled, 0, -1, "", "the operation was cancelled", 0}},
		{context.Canceled, StatusClosed, failure{StatusClosed, 0, -1, "", "context canceled", 0}},
		{errClosed, StatusCancelled, failure{StatusCancelled, 0, -1, "", "the store was closed", 0}},
		{backend.Errorf(backend.ErrInvalid, "m"), StatusCancelled, failure{StatusInvalid, 0, -1, "", "m", 0}},
	}
	for _, c := range cases {
		if got := describe(c.err, c.ended); got != c.want {
			t.Errorf("describe(%v, %d) = %+v, not %+v", c.err, c.ended, got, c.want)
		}
	}
}
