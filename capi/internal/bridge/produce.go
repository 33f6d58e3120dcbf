package bridge

import (
	"bytes"
	"context"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

// Bounds of what a submit takes; beyond them a length is a mistake, not data.
const (
	// MaxPayload is PostgreSQL's own limit of a value (Field size, appendix K
	// of its manual).
	MaxPayload = 1 << 30
	// MaxBatch bounds the payloads of one batch together.
	MaxBatch = 1 << 34
	// MaxText bounds names and the configuration.
	MaxText = 1 << 20
	// MaxCount bounds the elements of one call.
	MaxCount = 1 << 24
)

// Produce stores one message. The core is called in this thread, so that the
// messages which a thread submits keep their order.
func (s *Store) Produce(number uint64, queue, payload []byte, delayMicros, worker int64) (refusal *Refusal) {
	options, refusal := produceOptions(delayMicros, worker)
	if refusal != nil {
		return refusal
	}
	op, refusal := s.begin(number)
	if refusal != nil {
		return refusal
	}
	defer s.guardSubmit(op, &refusal)
	if !s.core.HasRoom() {
		return s.withdraw(op)
	}
	name := string(queue)
	panicOnCommand(name)
	s.core.ProduceAsync(op.ctx, name, bytes.Clone(payload), options, func(id int64, err error) {
		defer s.guard()
		if err != nil {
			s.fail(op, err)
			return
		}
		s.finish(op, Completion{Op: op.number, Kind: ResultValue, Value: id})
	})
	return nil
}

// ProduceBatch stores the payloads, which stand one behind the other in text, in
// one transaction.
func (s *Store) ProduceBatch(number uint64, queue, text []byte, lengths []uint64, delayMicros, worker int64) *Refusal {
	return s.produceAll(number, queue, delayMicros, worker, func() ([][]byte, error) { return copied(text, lengths), nil })
}

// ProduceArray stores the elements of a JSON array in one transaction.
func (s *Store) ProduceArray(number uint64, queue, text []byte, delayMicros, worker int64) *Refusal {
	return s.produceAll(number, queue, delayMicros, worker, func() ([][]byte, error) { return elements(bytes.Clone(text)) })
}

// produceAll stores what read returns, copies of the program's payloads; it is
// called once there is room.
func (s *Store) produceAll(number uint64, queue []byte, delayMicros, worker int64, read func() ([][]byte, error)) *Refusal {
	options, refusal := produceOptions(delayMicros, worker)
	if refusal != nil {
		return refusal
	}
	return s.produceMany(number, queue, func(ctx context.Context, name string, done func([]int64, error)) {
		payloads, err := read()
		if err != nil {
			done(nil, err)
			return
		}
		s.core.ProduceBatchAsync(ctx, name, payloads, options, done)
	})
}

// ProduceKeyed stores payloads with keys, which stand one behind the other in keyText;
// those of length 0 are none.
func (s *Store) ProduceKeyed(number uint64, queue, text []byte, lengths []uint64, keyText []byte, keyLengths []uint64, batch int32,
	delayMicros, dedupMicros, worker int64) *Refusal {
	options, refusal := produceOptions(delayMicros, worker)
	if refusal != nil {
		return refusal
	}
	if options.DedupFor, refusal = duration("dedup_us", dedupMicros); refusal != nil {
		return refusal
	}
	if batch != 0 && batch != 1 {
		return refuse(StatusBadArgument, "batch is %d, neither 0 nor 1", batch)
	}
	return s.produceMany(number, queue, func(ctx context.Context, name string, done func([]int64, error)) {
		keys := make([]string, len(keyLengths))
		for i, n := range keyLengths {
			keys[i], keyText = string(keyText[:n]), keyText[n:]
		}
		s.core.ProduceKeyedAsync(ctx, name, copied(text, lengths), keys, options, batch == 1, func(all []pgqrs.Produced, err error) {
			done(signed(all), err)
		})
	})
}

// produceMany accepts an operation that is answered with ids, and starts it in this
// thread once there is room.
func (s *Store) produceMany(number uint64, queue []byte, start func(ctx context.Context, name string, done func([]int64, error))) (refusal *Refusal) {
	op, refusal := s.begin(number)
	if refusal != nil {
		return refusal
	}
	defer s.guardSubmit(op, &refusal)
	if !s.core.HasRoom() {
		return s.withdraw(op)
	}
	name := string(queue)
	panicOnCommand(name)
	start(op.ctx, name, func(ids []int64, err error) {
		defer s.guard()
		var c Completion
		if err == nil {
			c, err = s.library.encodeNumbers(ResultIDs, ids)
		}
		s.complete(op, c, err)
	})
	return nil
}

// signed are the answers as they cross: negative where nothing was stored.
func signed(all []pgqrs.Produced) []int64 {
	ids := make([]int64, len(all))
	for i, p := range all {
		if ids[i] = p.ID; p.Deduplicated {
			ids[i] = -p.ID
		}
	}
	return ids
}

// copied cuts the payloads, in memory of their own, out of the text that they
// stand in.
func copied(text []byte, lengths []uint64) [][]byte {
	rest := bytes.Clone(text)
	payloads := make([][]byte, len(lengths))
	for i, n := range lengths {
		payloads[i], rest = rest[:n:n], rest[n:]
	}
	return payloads
}

func produceOptions(delayMicros, worker int64) (pgqrs.ProduceOptions, *Refusal) {
	delay, refusal := duration("delay_us", delayMicros)
	return pgqrs.ProduceOptions{Delay: delay, WorkerID: worker}, refusal
}
