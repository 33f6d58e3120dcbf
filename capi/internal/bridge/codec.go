package bridge

import (
	"encoding/json"
	"math"
	"time"
	"unsafe"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// The records of pgqrs.h as they lie in memory. Package capi checks sizes and
// offsets against the C compiler when it is built.

// ErrorHeader is pgqrs_error without its message.
type ErrorHeader struct {
	Status   Status
	Flags    uint32
	Index    int64
	AfterUs  int64
	SQLState [8]byte
	Length   uint64
}

// MessageHeader is pgqrs_message.
type MessageHeader struct {
	ID               int64
	EnqueuedAtMicros int64
	ProducerWorkerID int64
	ReadCount        int64
	PayloadOffset    uint64
	PayloadLength    uint64
}

// BatchHeader is pgqrs_batch without its messages.
type BatchHeader struct {
	Control          pgqrs.BatchControl
	Size             uint64
	QueueID          int64
	Lease            int64
	DequeuedAtMicros int64
	ConsumerWorkerID int64
	Count            uint64
}

const (
	batchHeaderSize   = int(unsafe.Sizeof(BatchHeader{}))
	messageHeaderSize = int(unsafe.Sizeof(MessageHeader{}))
	errorHeaderSize   = int(unsafe.Sizeof(ErrorHeader{}))
)

// encodeBatch writes a batch into one piece of memory: the header, a record per
// message, the payloads. Nil when there is no memory.
func encodeBatch(memory Memory, b *Batch) unsafe.Pointer {
	size := batchHeaderSize + len(b.Messages)*messageHeaderSize
	offset := size
	for i := range b.Messages {
		size += len(b.Messages[i].Payload)
	}
	data := memory.Allocate(size)
	if data == nil {
		return nil
	}
	*(*BatchHeader)(data) = BatchHeader{
		Size: uint64(size), QueueID: b.QueueID, Lease: b.Lease, DequeuedAtMicros: b.DequeuedAt.UnixMicro(),
		ConsumerWorkerID: b.WorkerID, Count: uint64(len(b.Messages)),
	}
	whole := unsafe.Slice((*byte)(data), size)
	headers := unsafe.Slice((*MessageHeader)(unsafe.Add(data, batchHeaderSize)), len(b.Messages))
	for i := range b.Messages {
		m := &b.Messages[i]
		headers[i] = MessageHeader{
			ID: m.ID, EnqueuedAtMicros: m.EnqueuedAt.UnixMicro(), ProducerWorkerID: m.ProducerWorkerID,
			ReadCount: int64(m.ReadCount), PayloadOffset: uint64(offset), PayloadLength: uint64(len(m.Payload)),
		}
		offset += copy(whole[offset:], m.Payload)
	}
	return data
}

// batchControl is the part of an encoded batch that core shares.
func batchControl(data unsafe.Pointer) *pgqrs.BatchControl { return &(*BatchHeader)(data).Control }

// encodeFailure makes the completion of an operation that failed.
func (s *Store) encodeFailure(number uint64, f failure) Completion {
	c := Completion{Op: number, Status: f.status, Kind: ResultError}
	c.Data = s.library.memory.Allocate(errorHeaderSize + len(f.message) + 1)
	if c.Data == nil {
		c.Kind = ResultNone // the status alone has to do
		return c
	}
	header := ErrorHeader{Status: f.status, Flags: f.flags, Index: f.index, AfterUs: f.after.Microseconds(), Length: uint64(len(f.message))}
	copy(header.SQLState[:5], f.sqlState)
	*(*ErrorHeader)(c.Data) = header
	writeText(unsafe.Add(c.Data, errorHeaderSize), f.message)
	return c
}

// writeText writes text and a terminating zero.
func writeText(to unsafe.Pointer, text string) {
	bytes := unsafe.Slice((*byte)(to), len(text)+1)
	copy(bytes, text)
	bytes[len(text)] = 0
}

// errNoMemory is described by its status.
var errNoMemory = backend.Errorf(errOutOfMemory, "there was no memory for the result")

// encodeJSON makes a completion with JSON text.
func (l *Library) encodeJSON(value any) (Completion, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return Completion{}, err
	}
	return l.encodeText(string(text))
}

// encodeText makes a completion with what is JSON text already.
func (l *Library) encodeText(text string) (Completion, error) {
	c := Completion{Kind: ResultJSON, Value: int64(len(text)), Data: l.memory.Allocate(len(text) + 1)}
	if c.Data == nil {
		return Completion{}, errNoMemory
	}
	writeText(c.Data, text)
	return c, nil
}

// encodeNumbers makes a completion with ids or moments.
func (l *Library) encodeNumbers(kind Kind, numbers []int64) (Completion, error) {
	c := Completion{Kind: kind, Value: int64(len(numbers)), Data: l.memory.Allocate(max(1, 8*len(numbers)))}
	if c.Data == nil {
		return Completion{}, errNoMemory
	}
	copy(unsafe.Slice((*int64)(c.Data), len(numbers)), numbers)
	return c, nil
}

// encodeHeld makes a completion with a byte per delivery.
func (l *Library) encodeHeld(settled []backend.Extension) (Completion, error) {
	c := Completion{Kind: ResultAnswers, Value: int64(len(settled)), Data: l.memory.Allocate(max(1, len(settled)))}
	if c.Data == nil {
		return Completion{}, errNoMemory
	}
	answers := unsafe.Slice((*byte)(c.Data), len(settled))
	for i, s := range settled {
		answers[i] = 0
		if s.Held {
			answers[i] = 1
		}
	}
	return c, nil
}

// encodeMoments makes a completion with the new end of each lease.
func (l *Library) encodeMoments(extensions []backend.Extension) (Completion, error) {
	moments := make([]int64, len(extensions))
	for i, e := range extensions {
		if e.Held {
			moments[i] = e.VT.UnixMicro()
		}
	}
	return l.encodeNumbers(ResultMoments, moments)
}

// duration reads microseconds; negative ones, and those that a time.Duration
// cannot hold, are refused.
func duration(name string, micros int64) (time.Duration, *Refusal) {
	if micros < 0 || micros > math.MaxInt64/1000 {
		return 0, refuse(StatusBadArgument, "%s is out of range: %d", name, micros)
	}
	return time.Duration(micros) * time.Microsecond, nil
}
