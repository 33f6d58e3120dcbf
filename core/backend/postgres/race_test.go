package postgres_test

import "testing"

// raceTest is one sentence and the schedule that proves it.
type raceTest struct {
	name string
	run  func(r *race)
}

// TestRaces forces the schedules in which a queue on spans can go wrong, rule by
// rule; the rules stand above the tables. One has no test because there is no such
// operation yet: dropping old partitions of the log.
func TestRaces(t *testing.T) {
	f := newBench(t)
	for _, rule := range []struct {
		name  string
		tests []raceTest
	}{
		{"fence", fenceRaces},
		{"miss", missRaces},
		{"empty", emptyRaces},
		{"locked row", lockedRowRaces},
		{"settling", settlingRaces},
		{"seizing", seizingRaces},
		{"deletion", deletionRaces},
		{"queue", queueRaces},
		{"archive", archiveRaces},
		{"dedup", dedupRaces},
		{"metrics", metricsRaces},
		{"durability", durabilityRaces},
		{"lost answers", lostAnswerRaces},
		{"transaction", transactionRaces},
		{"low watermark", watermarkRaces},
		{"wake-up", wakeUpRaces},
	} {
		t.Run(rule.name, func(t *testing.T) {
			for _, c := range rule.tests {
				t.Run(c.name, func(t *testing.T) { c.run(newRace(f, t)) })
			}
		})
	}
}
