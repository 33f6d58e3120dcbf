package pgqrs_test

import (
	"errors"
	"testing"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

func TestLiveMessagesAreLookedAt(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.produce(t, "tasks", 5)
		held := dequeue(t, newConsumer(t, s, "tasks"), 2, 60)
		page, err := s.ListMessages(t.Context(), pgqrs.MessageFilter{Queue: "tasks", After: ids[0], Limit: 3})
		must(t, err)
		if len(page) != 3 || page[0].ID != ids[1] || page[0].Lease != held[1].Lease || page[2].ID != ids[3] {
			t.Errorf("%+v", page)
		}
		if page, err = s.ListMessages(t.Context(), pgqrs.MessageFilter{Queue: "tasks", State: backend.StateReady, Limit: 9}); len(page) != 3 || err != nil {
			t.Error(page, err)
		}
		if m, err := s.GetMessage(t.Context(), ids[4]); err != nil || m.State != backend.StateReady {
			t.Error(m, err)
		}
		for what, c := range map[string]struct{ err, want error }{
			"get":   {errorOf(s.GetMessage(t.Context(), 1<<50)), pgqrs.ErrMessageNotFound},
			"queue": {errorOf(s.ListMessages(t.Context(), pgqrs.MessageFilter{Queue: "nowhere", Limit: 1})), pgqrs.ErrQueueNotFound},
			"limit": {errorOf(s.ListMessages(t.Context(), pgqrs.MessageFilter{Queue: "tasks"})), pgqrs.ErrInvalid},
			"after": {errorOf(s.ListMessages(t.Context(), pgqrs.MessageFilter{Queue: "tasks", Limit: 1, After: -1})), pgqrs.ErrInvalid},
			"state": {errorOf(s.ListMessages(t.Context(), pgqrs.MessageFilter{Queue: "tasks", Limit: 1, State: "dead"})), pgqrs.ErrInvalid},
		} {
			if !errors.Is(c.err, c.want) {
				t.Errorf("%s: %v", what, c.err)
			}
		}
	})
}
