package bridge

import (
	"encoding/json"
	"strings"
	"testing"
)

// arrays are texts, and what elements makes of them; nil: an error.
var arrays = map[string][]string{
	`[]`: {}, " [\n\t] ": {}, `[1]`: {`1`}, `[1,2]`: {`1`, `2`}, " [ 1 ,\r\n[2, 3] ] ": {`1`, `[2, 3]`},
	`[{"a":[1,{"b":"]"}]},"x,y","\"",[],{}]`: {`{"a":[1,{"b":"]"}]}`, `"x,y"`, `"\""`, `[]`, `{}`},
	`["\\",","]`:                             {`"\\"`, `","`}, "[\"\u2028\",\"\u00a0\"]": {"\"\u2028\"", "\"\u00a0\""},
	`[,]`: {``, ``}, `[1,]`: {`1`, ``}, `[nul]`: {`nul`}, `[[}]`: {`[}`}, `[1 2]`: {`1 2`}, "[\v1]": {"\v1"}, `[:]`: {`:`},
	``: nil, ` `: nil, `[`: nil, `]`: nil, `1`: nil, `{}`: nil, `[1`: nil, `1]`: nil, `[1],[2]`: nil, `[1]]`: nil,
	`[[1]`: nil, `[}`: nil, `["]`: nil, `["\"]`: nil, `["\`: nil, `["a\\\"]`: nil, `[1] x`: nil, "\ufeff[1]": nil, `["a"b"]`: nil,
}

func TestAnArrayIsCutIntoTheTextsOfItsElements(t *testing.T) {
	for text, want := range arrays {
		parts, err := elements([]byte(text))
		if (err != nil) != (want == nil) {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got := make([]string, len(parts))
		for i, part := range parts {
			got[i] = string(part)
		}
		if strings.Join(got, "|") != strings.Join(want, "|") || len(got) != len(want) {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// What the standard library makes of an array is what elements makes of it; and what
// is none does not come out as one.
func FuzzArray(f *testing.F) {
	for text := range arrays {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want []json.RawMessage
		isArray := json.Valid(text) && trimmed(text)[0] == '['
		if isArray {
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
		}
		got, err := elements(text)
		sound := err == nil
		for _, element := range got {
			sound = sound && json.Valid(element)
		}
		if sound != isArray {
			t.Fatalf("a JSON array: %v; its elements: %q, %v", isArray, got, err)
		}
		if !isArray {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%q, not %q", got, want)
		}
		for i := range got {
			if string(got[i]) != string(want[i]) {
				t.Errorf("element %d is %q, not %q", i, got[i], want[i])
			}
		}
	})
}

func BenchmarkElements(b *testing.B) {
	one := `{"task":"send_email","to":"user@example.com","subject":"Hello","n":100000000000}`
	text := []byte("[" + strings.Repeat(one+",", 999) + one + "]")
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if parts, err := elements(text); err != nil || len(parts) != 1000 {
			b.Fatal(len(parts), err)
		}
	}
}
