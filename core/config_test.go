package pgqrs_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

// TestEachOptionHasTheLimitsThatItsDocumentationNames tries the least and the greatest
// value of every option, and what is next to them.
func TestEachOptionHasTheLimitsThatItsDocumentationNames(t *testing.T) {
	for option, limits := range map[string]struct{ below, least, greatest, above any }{
		"schema":                     {"", "s", strings.Repeat("s", 63), strings.Repeat("s", 64)},
		"max_connections":            {0, 1, 1000, 1001},
		"connection_timeout_seconds": {0.0999, 0.1, 3600, 3600.001},
		"default_lock_time_seconds":  {0.0999, 0.1, 604800, 604800.001},
		"default_max_batch_size":     {0, 1, 10000, 10001},
		"max_read_ct":                {-1, 0, 1000000, 1000001},
		"max_lease_seconds":          {0.999, 1, 2592000, 2592000.001},
		"max_payload_size_bytes":     {-1, 0, int64(math.MaxInt64), json.Number("9223372036854775808")},
	} {
		for value, fits := range map[any]bool{limits.below: false, limits.least: true, limits.greatest: true, limits.above: false} {
			text, err := json.Marshal(map[string]any{"dsn": "memory://", option: value})
			if err != nil {
				t.Fatal(err)
			}
			err = connectAndClose(t, text)
			switch {
			case fits && err != nil:
				t.Errorf("%s %v: %v", option, value, err)
			case !fits && (!errors.Is(err, pgqrs.ErrConfig) || !strings.Contains(err.Error(), option)):
				t.Errorf("%s %v: %v, which should name the option", option, value, err)
			}
		}
	}
}

func connectAndClose(t testing.TB, text []byte) error {
	t.Helper()
	c, err := pgqrs.ParseConfig(text)
	if err != nil {
		return err
	}
	s, err := pgqrs.ConnectConfig(t.Context(), c)
	if err == nil {
		closeStore(t, s)
	}
	return err
}

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
