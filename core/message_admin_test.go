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

func TestAMessageIsDeletedOrReleasedByItsID(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		ids := p.produce(t, "tasks", 4)
		m := dequeue(t, newConsumer(t, s, "tasks"), 2, 60)
		must(t, s.DeleteMessage(t.Context(), ids[3], false))
		if err := s.DeleteMessage(t.Context(), ids[0], false); !errors.Is(err, pgqrs.ErrStateTransition) {
			t.Errorf("a leased message: %v", err)
		}
		must(t, s.DeleteMessage(t.Context(), ids[0], true))
		must(t, s.ReleaseMessage(t.Context(), ids[1]))
		must(t, s.ReleaseMessage(t.Context(), ids[1])) // is ready
		for _, held := range m {
			if was, err := held.Archive(t.Context()); was || err != nil {
				t.Errorf("the holder of message %d archived it: %v", held.ID, err)
			}
		}
		again := dequeue(t, newConsumer(t, s, "tasks"), 2, 60)
		if again[0].ID != ids[2] || again[1].ID != ids[1] || again[1].ReadCount != 2 {
			t.Errorf("%+v", again)
		}
		if was, err := again[0].Archive(t.Context()); !was || err != nil {
			t.Error(was, err)
		}
		if n, err := s.QueueMetrics(t.Context(), "tasks"); err != nil || n.Acked != 1 || n.Depth != 1 || n.Produced != 4 {
			t.Errorf("what was deleted by its id counts as acknowledged: %+v, %v", n, err)
		}
		for what, err := range map[string]error{
			"deleted":  s.DeleteMessage(t.Context(), ids[3], true),
			"archived": s.DeleteMessage(t.Context(), ids[2], true),
			"released": s.ReleaseMessage(t.Context(), ids[2]),
		} {
			if !errors.Is(err, pgqrs.ErrMessageNotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}
