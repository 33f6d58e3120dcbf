package bridge

import "github.com/pgqrs/pgqrs/core/backend"

// elements cuts the text of a JSON array into those of its elements, which are parts
// of it, without the white space around them. It looks at strings, brackets and
// commas alone: what stands between may be no JSON, and then one of the elements
// is none. So the text is a JSON array if there is no error and each element is JSON.
func elements(text []byte) ([][]byte, error) {
	text = trimmed(text)
	if len(text) < 2 || text[0] != '[' || text[len(text)-1] != ']' {
		return nil, errNoArray
	}
	text = text[1 : len(text)-1]
	if len(trimmed(text)) == 0 {
		return [][]byte{}, nil
	}
	var found [][]byte
	depth, begin := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = endOfString(text, i+1)
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth < 0 {
				return nil, errNoArray
			}
		case ',':
			if depth == 0 {
				found = append(found, trimmed(text[begin:i:i]))
				begin = i + 1
			}
		}
		if i >= len(text) { // in a string without an end
			return nil, errNoArray
		}
	}
	if depth != 0 {
		return nil, errNoArray
	}
	return append(found, trimmed(text[begin:len(text):len(text)])), nil
}

var errNoArray = backend.Errorf(backend.ErrSerialization, "the payloads are not a JSON array")

// endOfString is where the quote stands that ends the string whose content starts
// at i; beyond the text when there is none.
func endOfString(text []byte, i int) int {
	for i < len(text) && text[i] != '"' {
		if text[i] == '\\' {
			i++
		}
		i++
	}
	return i
}

// trimmed is a text without what JSON calls white space at its ends.
func trimmed(text []byte) []byte {
	for len(text) > 0 && isSpace(text[0]) {
		text = text[1:]
	}
	for len(text) > 0 && isSpace(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	return text
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
