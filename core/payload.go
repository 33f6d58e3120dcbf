package pgqrs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Payloads are kept as the text that came in, and shown as jsonb by the views.
// What jsonb refuses would make every query of a view fail, so it is refused
// here: the limits are those of PostgreSQL's numeric type and of its parser's
// stack (max_stack_depth 2 MB holds more than 10000 levels).
const (
	maxDepth          = 5000
	maxNumberBefore   = 131072    // digits before the decimal point
	maxNumberFraction = 16383     // digits after it
	maxExponent       = 1<<30 - 2 // whatever the digits: less than half of an int's range
	// A jsonb array or object has less than 256 MB. What one value costs there
	// beside its own text is at most jsonbValueCost.
	maxJSONB       = 1<<28 - 1
	jsonbValueCost = 16
	// The parser's array of the members of one object cannot grow beyond that.
	maxValues = 1 << 22
)

// encodePayload makes JSON of a Go value; json.RawMessage goes through as it is.
func encodePayload(v any) ([]byte, error) {
	if raw, ok := v.(json.RawMessage); ok {
		return raw, nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // the text is kept to the byte; < need not be \u003c
	if err := e.Encode(v); err != nil {
		return nil, &Error{Kind: ErrSerialization, Message: "the payload cannot be made JSON: " + err.Error(), Index: -1, Cause: err}
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// checkPayload refuses what cannot be stored and read back exactly, and what Config
// does not allow.
func (s *Store) checkPayload(p []byte) error {
	fail := func(format string, args ...any) error {
		return backend.Errorf(ErrSerialization, "the payload "+format, args...)
	}
	if limit := s.config.MaxPayloadSize; limit > 0 && int64(len(p)) > limit {
		return errInvalid("the payload has %d bytes, more than max_payload_size_bytes (%d)", len(p), limit)
	}
	if len(p) > maxJSONB {
		return errInvalid("the payload has %d bytes; PostgreSQL's jsonb holds less than 256 MB", len(p))
	}
	// Two and a half times as fast as the two below, which say what is wrong. It takes
	// nothing that they refuse; that it refuses a lone surrogate, too, is told further down.
	if !jsontext.Value(p).IsValid(jsontext.AllowDuplicateNames(true)) {
		if !json.Valid(p) {
			return fail("is not valid JSON")
		}
		if !utf8.Valid(p) {
			return fail("is not valid UTF-8")
		}
	}
	if what := findUnstorable(p); what != "" {
		return fail("%s", what)
	}
	if s.limits.any() {
		return s.limits.check(p)
	}
	return nil
}

// findUnstorable walks valid JSON once and says what PostgreSQL would refuse.
func findUnstorable(p []byte) string {
	depth, values := 0, 0
	for i := 0; i < len(p); {
		switch c := p[i]; {
		case c == ',' || c == ':':
			values++
			i++
		case c == '"':
			end, what := checkString(p, i+1)
			if what != "" {
				return what
			}
			i = end
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Sprintf("is nested deeper than %d levels", maxDepth)
			}
			i++
		case c == '}' || c == ']':
			depth--
			i++
		case c == '-' || c >= '0' && c <= '9':
			end := i + 1
			for end < len(p) && isNumberByte(p[end]) {
				end++
			}
			// Only long numbers and such with an exponent can be out of range.
			if n := p[i:end]; (len(n) > maxNumberFraction || bytes.ContainsAny(n, "eE")) && !numberFits(n) {
				return "holds a number that PostgreSQL's numeric type cannot hold"
			}
			i = end
		default:
			i++
		}
	}
	if values > maxValues || len(p)+values*jsonbValueCost > maxJSONB {
		return fmt.Sprintf("has %d values, more than PostgreSQL's jsonb can hold", values+1)
	}
	return ""
}

func isNumberByte(c byte) bool {
	return c >= '0' && c <= '9' || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-'
}

// checkString looks at the escapes of a string that starts at i, behind its
// quote, and returns where it ends.
func checkString(p []byte, i int) (end int, what string) {
	for {
		switch {
		case p[i] == '"':
			return i + 1, ""
		case p[i] != '\\':
			i++
			continue
		case p[i+1] != 'u':
			i += 2
			continue
		}
		r := hex4(p[i+2:])
		i += 6
		switch {
		case r == 0:
			return 0, `holds the character \u0000, which PostgreSQL cannot store`
		case r >= 0xDC00 && r <= 0xDFFF:
			return 0, "holds a lone surrogate, which is not a character"
		case r >= 0xD800 && r <= 0xDBFF:
			if p[i] != '\\' || p[i+1] != 'u' {
				return 0, "holds a lone surrogate, which is not a character"
			}
			if low := hex4(p[i+2:]); low < 0xDC00 || low > 0xDFFF {
				return 0, "holds a lone surrogate, which is not a character"
			}
			i += 6
		}
	}
}

func hex4(p []byte) uint64 {
	r, _ := strconv.ParseUint(string(p[:4]), 16, 32) // json.Valid has seen the digits
	return r
}

// numberFits says whether numeric takes that JSON number.
func numberFits(n []byte) bool {
	mantissa, exponent := n, int64(0)
	if e := bytes.IndexAny(n, "eE"); e >= 0 {
		var err error
		mantissa = n[:e]
		if exponent, err = strconv.ParseInt(string(bytes.TrimPrefix(n[e+1:], []byte("+"))), 10, 32); err != nil {
			return false
		}
	}
	if exponent < -maxExponent || exponent > maxExponent {
		return false
	}
	mantissa = bytes.TrimPrefix(mantissa, []byte("-"))
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	if int64(len(fraction))-exponent > maxNumberFraction {
		return false
	}
	digits := append(append(make([]byte, 0, len(n)), whole...), fraction...)
	leading := bytes.IndexFunc(digits, func(r rune) bool { return r != '0' })
	return leading < 0 || int64(len(whole)-leading)+exponent <= maxNumberBefore
}
