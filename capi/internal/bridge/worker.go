package bridge

import (
	"context"
	"math"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

// Register makes the row of a producer or consumer.
func (s *Store) Register(number uint64, role int32, queue, hostname []byte, port int32) *Refusal {
	if r := pgqrs.Role(role); r != pgqrs.RoleProducer && r != pgqrs.RoleConsumer {
		return refuse(StatusBadArgument, "role %d is neither PGQRS_PRODUCER nor PGQRS_CONSUMER", role)
	}
	name, host := string(queue), string(hostname)
	return s.perform(number, func(ctx context.Context) (Completion, error) {
		panicOnCommand(name)
		w, err := s.core.Register(ctx, pgqrs.Role(role), name, host, int(port))
		if err != nil {
			return Completion{}, err
		}
		return s.library.encodeJSON(struct {
			WorkerID int64 `json:"worker_id"`
			QueueID  int64 `json:"queue_id"`
		}{w.ID, w.QueueID})
	})
}

// Dequeue leases ready messages to a registered consumer.
func (s *Store) Dequeue(number uint64, worker int64, limit uint32, vtMicros int64) *Refusal {
	vt, refusal := duration("vt_us", vtMicros)
	if refusal != nil {
		return refusal
	}
	if limit > math.MaxInt32 {
		return refuse(StatusBadArgument, "limit is out of range: %d", limit)
	}
	return s.entrust(number, func(ctx context.Context, done func(Completion, error)) {
		s.core.DequeueAsync(ctx, worker, int(limit), vt, func(b *Batch, err error) {
			if err != nil || b == nil {
				done(Completion{}, err)
				return
			}
			data := s.library.lend(b)
			if data == nil {
				done(Completion{}, errNoMemory)
				return
			}
			done(Completion{Kind: ResultBatch, Value: int64(len(b.Messages)), Data: data}, nil)
		})
	})
}
