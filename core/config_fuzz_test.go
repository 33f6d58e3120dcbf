package pgqrs_test

import (
	"errors"
	"strings"
	"testing"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

// FuzzConfig reads any text as a configuration: nothing panics, and what cannot be read
// is a configuration error.
func FuzzConfig(f *testing.F) {
	for _, text := range []string{
		`{"dsn": "memory://"}`, `{"dsn": "memory://", "max_lease_seconds": 1e308}`, `{"dsn": "memory://", "max_connections": 1.5}`,
		`{"dsn": null}`, `{"DSN": "memory://"}`, `{"dsn": "memory://", "dsn": "memory://x"}`, `[{"dsn": "memory://"}]`, "\xff{}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := pgqrs.ParseConfig(text)
		if (c == nil) == (err == nil) || err != nil && !errors.Is(err, pgqrs.ErrConfig) {
			t.Errorf("%q: %v %v", text, c, err)
		}
		if c == nil || !strings.HasPrefix(c.DSN, "memory://") {
			return // it must not connect to anything
		}
		c.DSN = "memory://"
		s, err := pgqrs.ConnectConfig(t.Context(), c)
		if err == nil {
			closeStore(t, s)
		} else if !errors.Is(err, pgqrs.ErrConfig) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
