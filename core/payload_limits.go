package pgqrs

import (
	"encoding/json"
	"slices"
)

// payloadLimits are what Config allows of a payload beyond what can be stored at all.
type payloadLimits struct {
	stringLength, depth int // 0: no limit
	forbidden           map[string]struct{}
	required            []string
}

func newPayloadLimits(c *Config) payloadLimits {
	l := payloadLimits{stringLength: c.MaxStringLength, depth: c.MaxObjectDepth, required: c.RequiredKeys}
	if len(c.ForbiddenKeys) > 0 {
		l.forbidden = make(map[string]struct{}, len(c.ForbiddenKeys))
		for _, key := range c.ForbiddenKeys {
			l.forbidden[key] = struct{}{}
		}
	}
	return l
}

// any says whether there is a limit; without one payloads are not looked at again.
func (l *payloadLimits) any() bool {
	return l.stringLength > 0 || l.depth > 0 || len(l.forbidden) > 0 || len(l.required) > 0
}

// check walks a payload that can be stored.
func (l *payloadLimits) check(p []byte) error {
	depth, isObject := 0, false
	missing := slices.Clone(l.required)
	for i := 0; i < len(p); {
		switch p[i] {
		case '{', '[':
			if depth++; l.depth > 0 && depth > l.depth {
				return errInvalid("the payload is nested deeper than max_object_depth (%d)", l.depth)
			}
			isObject = isObject || depth == 1 && p[i] == '{'
			i++
		case '}', ']':
			depth--
			i++
		case '"':
			end, _ := checkString(p, i+1)
			text := unquote(p[i:end])
			if l.stringLength > 0 && len(text) > l.stringLength {
				return errInvalid("the payload has a string of %d bytes, more than max_string_length (%d)", len(text), l.stringLength)
			}
			if i = end; isKey(p, i) {
				if _, bad := l.forbidden[string(text)]; bad {
					return errInvalid("the payload has the key %q, which is one of forbidden_keys", text)
				}
				if depth == 1 {
					missing = slices.DeleteFunc(missing, func(key string) bool { return key == string(text) })
				}
			}
		default:
			i++
		}
	}
	if isObject && len(missing) > 0 {
		return errInvalid("the payload lacks the key %q, which is one of required_keys", missing[0])
	}
	return nil
}

// isKey says of a string that ends there whether it is the key of a member: in JSON
// only then a colon follows.
func isKey(p []byte, end int) bool {
	for end < len(p) && (p[end] == ' ' || p[end] == '\t' || p[end] == '\n' || p[end] == '\r') {
		end++
	}
	return end < len(p) && p[end] == ':'
}

// unquote is the text of a JSON string: where it has no escapes, part of it.
func unquote(quoted []byte) []byte {
	if !slices.Contains(quoted, '\\') {
		return quoted[1 : len(quoted)-1]
	}
	var text string
	_ = json.Unmarshal(quoted, &text) // it was checked before
	return []byte(text)
}
