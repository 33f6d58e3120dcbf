package bridge

import (
	"context"
)

// admission is pgqrs.Admission as it crosses.
type admission struct {
	Identity  string `json:"identity"`
	Schema    string `json:"schema"`
	MakeQueue bool   `json:"make_queue"`
}

// detachment is pgqrs.Detachment as it crosses.
type detachment struct {
	Identity string  `json:"identity"`
	Schema   string  `json:"schema"`
	QueueID  int64   `json:"queue_id"`
	Leases   []int64 `json:"leases"`
}

// Admit checks payloads and makes the queue, for a program that stores them in a
// transaction of its own.
func (s *Store) Admit(number uint64, queue, text []byte, lengths []uint64, batch int32, delayMicros, worker int64) *Refusal {
	options, refusal := produceOptions(delayMicros, worker)
	if refusal != nil {
		return refusal
	}
	if batch != 0 && batch != 1 {
		return refuse(StatusBadArgument, "batch is %d, neither 0 nor 1", batch)
	}
	name := string(queue)
	payloads := copied(text, lengths)
	return s.perform(number, func(ctx context.Context) (Completion, error) {
		a, err := s.core.Admit(ctx, name, payloads, options, batch == 1)
		if err != nil {
			return Completion{}, err
		}
		return s.library.encodeJSON(admission{Identity: a.Identity, Schema: a.Schema, MakeQueue: a.MakeQueue})
	})
}

// Detach gives deliveries a lease that they share with no others.
func (s *Store) Detach(number uint64, t Target) *Refusal {
	target, refusal := t.copied()
	if refusal != nil {
		return refusal
	}
	return s.perform(number, func(ctx context.Context) (Completion, error) {
		d, err := s.core.Detach(ctx, target)
		if err != nil {
			return Completion{}, err
		}
		answer := detachment{Identity: d.Identity, Schema: d.Schema, QueueID: d.QueueID, Leases: make([]int64, len(d.Deliveries))}
		for i, delivery := range d.Deliveries {
			answer.Leases[i] = delivery.Lease
		}
		return s.library.encodeJSON(answer)
	})
}
