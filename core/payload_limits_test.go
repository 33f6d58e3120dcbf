package pgqrs_test

import (
	"errors"
	"strings"
	"testing"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

func TestLimitsOfPayloadsAreKept(t *testing.T) {
	for name, c := range map[string]struct {
		limit     pgqrs.Option
		good, bad []string
	}{
		"max_payload_size_bytes": {
			func(c *pgqrs.Config) { c.MaxPayloadSize = 4 },
			[]string{`1234`, `"ä"`}, []string{`12345`, ` 1234`},
		},
		"max_string_length": {
			func(c *pgqrs.Config) { c.MaxStringLength = 3 },
			[]string{`"abc"`, `12345`, `{"abc": ["abc"]}`, `"\u00e9b"`, `["abc", "abc"]`},
			[]string{`"abcd"`, `{"abcd": 1}`, `[[{"a": "\u20acb"}]]`, `"ää"`},
		},
		"max_object_depth": {
			func(c *pgqrs.Config) { c.MaxObjectDepth = 2 },
			[]string{`1`, `[[1]]`, `{"a": [1, 2], "b": {"c": "[[["}}`, `[[], []]`},
			[]string{`[[[]]]`, `{"a": {"b": {}}}`, `[1, [2, {"a": 3}]]`},
		},
		"forbidden_keys": {
			func(c *pgqrs.Config) { c.ForbiddenKeys = []string{"__proto__", "é"} },
			[]string{`"__proto__"`, `["__proto__", {"proto": "__proto__"}]`, `{}`},
			[]string{`{"__proto__": 1}`, `[{"a": {"__proto__" : 1}}]`, "{\"a\": 1, \"__proto__\"\t:\n2}", `{"__pro\u0074o__": 1}`, `{"\u00e9": 1}`},
		},
		"required_keys": {
			func(c *pgqrs.Config) { c.RequiredKeys = []string{"a", "b", "a"} },
			[]string{`1`, `[]`, `[{"c": 1}]`, `{"b": 1, "\u0061": {}}`, ` {"a": 1, "b": 2}`},
			[]string{`{}`, `{"a": 1}`, `{"a": {"b": 1}}`, `{"c": {"a": 1, "b": 2}}`},
		},
	} {
		s := onMemory(t).connect(t, c.limit)
		for _, p := range c.good {
			if _, err := s.Produce(t.Context(), "tasks", []byte(p), pgqrs.ProduceOptions{}); err != nil {
				t.Errorf("%s: %s: %v", name, p, err)
			}
		}
		for _, p := range c.bad {
			_, err := s.ProduceBatch(t.Context(), "tasks", [][]byte{[]byte(c.good[0]), []byte(p)}, pgqrs.ProduceOptions{})
			var e *pgqrs.Error
			if !errors.Is(err, pgqrs.ErrInvalid) || !errors.As(err, &e) || e.Index != 1 || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %s: %v", name, p, err)
			}
		}
	}
}
