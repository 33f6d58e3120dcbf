package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// claim is a key that is taken: by a message, as long as that lives or until a moment.
type claim struct {
	id    int64
	until time.Time // zero: as long as the message lives
}

// MessageProduceKeyed implements backend.DedupBackend. Nobody has to be waited for.
func (b *Backend) MessageProduceKeyed(ctx context.Context, p *backend.MessageProduceKeyedParams) ([]backend.Produced, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	now := b.moment(p.At)
	q, err := b.store.find(p.QueueID)
	if err != nil {
		return nil, err
	}
	answers, before := make([]backend.Produced, len(p.Payloads)), b.store.lastMessage
	for i, payload := range p.Payloads {
		key := p.Keys[i]
		if key == "" {
			answers[i].ID = b.add(q, &p.MessageProduceParams, payload, now)
			continue
		}
		if c, there := q.claims[key]; there && b.holds(c, now) {
			answers[i] = backend.Produced{ID: c.id, Deduplicated: true}
			continue
		}
		c := claim{id: b.add(q, &p.MessageProduceParams, payload, now)}
		if p.DedupFor != 0 {
			c.until = now.Add(p.DedupFor)
		}
		if q.claims == nil {
			q.claims = make(map[string]claim)
		}
		q.claims[key] = c
		answers[i].ID = c.id
	}
	q.tally.count(now, b.store.lastMessage-before, 0)
	return answers, nil
}

// holds says whether a key is still taken.
func (b *Backend) holds(c claim, now time.Time) bool {
	if !c.until.IsZero() {
		return c.until.After(now)
	}
	m := b.store.messages[c.id]
	return m != nil && m.outcome == ""
}

// sweepPiece is how many keys one call of DedupSweep looks at.
const sweepPiece = 1000

// DedupSweep implements backend.DedupBackend.
func (b *Backend) DedupSweep(ctx context.Context, p *backend.DedupSweepParams) (*backend.DedupSweepResult, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	var places []backend.DedupPlace
	for id, q := range b.store.queues {
		for key := range q.claims {
			if place := (backend.DedupPlace{QueueID: id, Key: key}); comparePlaces(place, p.After) > 0 {
				places = append(places, place)
			}
		}
	}
	slices.SortFunc(places, comparePlaces)
	r := backend.DedupSweepResult{More: len(places) >= sweepPiece}
	for _, place := range places[:min(len(places), sweepPiece)] {
		q := b.store.queues[place.QueueID]
		r.Seen, r.After = r.Seen+1, place
		if !b.holds(q.claims[place.Key], b.moment(p.At)) {
			delete(q.claims, place.Key)
			r.Swept++
		}
	}
	return &r, nil
}

func comparePlaces(x, y backend.DedupPlace) int {
	return cmp.Or(cmp.Compare(x.QueueID, y.QueueID), cmp.Compare(x.Key, y.Key))
}

// freePurged frees the keys of messages that are not even in the archive.
func (b *Backend) freePurged(q *queue) {
	maps.DeleteFunc(q.claims, func(_ string, c claim) bool { return b.store.messages[c.id] == nil })
}
