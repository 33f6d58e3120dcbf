package pgqrs

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Rows of workers that nobody will ask for are deleted by the next process that
// begins to work: of those that stopped, and of those that died without a word.
const (
	forgetStopped = 24 * time.Hour
	forgetSilent  = 7 * 24 * time.Hour
	purgePiece    = 1000
)

// beat tells, until the store closes, that its workers are alive: one statement for
// all of them. No lease depends on it. Stores that were started together do not stay
// in step.
func (s *Store) beat() {
	if _, err := s.purgeWorkers(s.ctx, forgetStopped, forgetSilent, 1); err != nil && !s.isClosed() {
		s.log.Debug("old rows of workers were not deleted", "error", err)
	}
	every := s.config.HeartbeatInterval
	for sleep(s.ctx, every-every/10+rand.N(every/5+1)) {
		if err := s.beatNow(s.ctx); err != nil && !s.isClosed() {
			s.log.Debug("the heartbeat of workers failed", "error", err)
		}
	}
}

// beatNow sends one heartbeat, and hears what became of the workers by the hand of
// others: of a change of state, and of rows that are gone.
func (s *Store) beatNow(ctx context.Context) error {
	ids := s.workers.running()
	if len(ids) == 0 {
		return nil
	}
	before := s.workers.countChanges()
	alive, err := s.backend.WorkerBeat(ctx, &backend.WorkerBeatParams{IDs: ids})
	if err != nil {
		return err
	}
	there := make(map[int64]bool, len(alive))
	current := before == s.workers.countChanges()
	for i := range alive {
		there[alive[i].ID] = true
		if current {
			s.workerIs(&alive[i])
		}
	}
	for _, id := range ids {
		if !there[id] && s.workers.forget(id) {
			s.log.Info("the row of a worker is gone: its queue was deleted, or it was purged", "worker_id", id)
		}
	}
	return s.restIdle(ctx)
}

// restIdle marks the workers ready whose last stream has ended.
func (s *Store) restIdle(ctx context.Context) error {
	polling := make(map[int64]bool)
	for _, id := range s.workers.running() {
		if s.workers.status(id) == backend.WorkerPolling {
			polling[id] = true
		}
	}
	for _, st := range s.openStreams() {
		delete(polling, st.worker.Load())
	}
	for id := range polling {
		if _, err := s.moveWorker(ctx, id, rests); err != nil {
			return err
		}
	}
	return nil
}

// purgeWorkers deletes old rows of workers in pieces, at most so many, and returns
// how many rows that were.
func (s *Store) purgeWorkers(ctx context.Context, stoppedFor, silentFor time.Duration, pieces int) (total int64, err error) {
	for range pieces {
		n, err := s.backend.WorkerPurge(ctx, &backend.WorkerPurgeParams{StoppedFor: stoppedFor, SilentFor: silentFor, Limit: purgePiece})
		if total += n; err != nil || n == 0 {
			return total, err
		}
	}
	return total, nil
}
