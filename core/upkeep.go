package pgqrs

import "time"

// How long a store waits until it looks after the tables again: when it finds nothing to
// do, because there is no traffic or because another process does it, ever longer.
const firstUpkeep, slowestUpkeep = 10 * time.Second, 80 * time.Second

// tend does a piece of upkeep again and again until the store closes; do says whether
// there was anything to do. It takes at most one in `share` of the time.
func (s *Store) tend(share time.Duration, do func() bool) {
	wait := &backoff{first: firstUpkeep, most: slowestUpkeep}
	for pause := wait.delay(); sleep(s.ctx, pause); {
		began := time.Now()
		if do() {
			wait.reset()
		}
		pause = max(wait.delay(), share*time.Since(began))
	}
}

// untilNone does pieces of upkeep until one has nothing to do, or fails, and says whether
// there was anything. failed is what a failure means.
func (s *Store) untilNone(failed string, piece func() (int64, error)) (any bool) {
	for {
		n, err := piece()
		if err != nil {
			s.log.Debug(failed, "error", err)
		}
		if err != nil || n == 0 {
			return any
		}
		any = true
	}
}
