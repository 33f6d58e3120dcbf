package postgres

import (
	"testing"
	"time"
)

// TestAWatermarkFollowsTheWalksWhileFullOnesAreRare: a full walk that took long is repeated
// late, and until then nobody is to pass again what died since.
func TestAWatermarkFollowsTheWalksWhileFullOnesAreRare(t *testing.T) {
	now := time.Now()
	at := func(s float64) time.Time { return now.Add(time.Duration(s * float64(time.Second))) }
	for name, c := range map[string]struct {
		took        float64 // the full walk, in seconds, which found its first message at -100
		lowered     bool    // while the next walk was under way
		first, want float64 // what that walk found, and where the watermark is then
	}{
		"a backlog":                     {took: 0.1, first: -60, want: -60},
		"what is new":                   {took: 0.1, first: -0.01, want: -1},
		"never back":                    {took: 0.1, first: -200, want: -100},
		"full walks are often":          {took: 0.01, first: -60, want: -100},
		"something was put below":       {took: 0.1, lowered: true, first: -60, want: -100},
		"a backlog of less than that":   {took: 0.1, first: -1.5, want: -1.5},
		"the interval is just as short": {took: 0.05, first: -60, want: -100},
	} {
		t.Run(name, func(t *testing.T) {
			var m watermark
			found := at(-100)
			m.end(m.begin(), &found, at(0), at(c.took))
			token := m.begin()
			if c.lowered {
				m.lower()
				m.end(m.begin(), &found, at(0), at(c.took)) // a full walk of another goroutine
			}
			m.raise(token, at(c.first), at(0))
			if got, ok := m.floor(at(c.took)); !ok || !got.Equal(at(c.want)) {
				t.Errorf("the watermark is at %v, want %v", got.Sub(now).Seconds(), c.want)
			}
		})
	}
}

// TestALoweredWatermarkIsNotRaised: nothing is known then, until the next full walk.
func TestALoweredWatermarkIsNotRaised(t *testing.T) {
	var m watermark
	now := time.Now()
	m.end(m.begin(), &now, now, now.Add(time.Second))
	token := m.begin()
	m.lower()
	m.raise(token, now.Add(-time.Minute), now)
	if low, ok := m.floor(now); ok {
		t.Errorf("the watermark is at %v, want none", low)
	}
}
