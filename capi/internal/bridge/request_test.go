package bridge

import (
	"context"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// asking is a program whose store is a real one, in memory.
func asking(t *testing.T) *program {
	t.Helper()
	p := opening(t, nil, func(ctx context.Context, _ []byte, h Hooks) (Core, error) {
		return OpenCore(ctx, []byte(`{"dsn": "memory://"}`), h)
	})
	if c := p.wait(connectOp); c.Status != StatusOK {
		t.Fatalf("connect completed with %+v", c)
	}
	return p
}

// ask carries out a request and returns its answer, or its error's message.
func (p *program) ask(name, arguments string, status Status) string {
	p.t.Helper()
	p.asked++
	accepted(p.t, p.store.Request(p.asked, []byte(name), []byte(arguments)))
	if status != StatusOK {
		return p.expect(p.asked, status)
	}
	c := p.wait(p.asked)
	if c.Status != StatusOK || c.Kind != ResultJSON {
		p.t.Fatalf("%s %s completed with %+v", name, arguments, c)
	}
	text := string(content(c.Data, int(c.Value)))
	p.library.discard(c)
	return text
}

func TestARequestAnswersJSON(t *testing.T) {
	p := asking(t)
	made := p.ask("queue_create", `{"name": "tasks"}`, StatusOK)
	if !strings.Contains(made, `"id":1,"queue_name":"tasks","created_at_us":1`) {
		t.Error(made)
	}
	if !strings.HasSuffix(made, `"paused_at_us":null,"default_vt_us":null,"max_read_ct":null,"retention_us":null,"retry":null}`) {
		t.Error(made)
	}
	if got := p.ask("queue_get", `{"name": "tasks"}`, StatusOK); got != made {
		t.Error(got)
	}
	if got := p.ask("queue_list", "", StatusOK); got != "["+made+"]" {
		t.Error(got)
	}
	if got := p.ask("queue_list", `{"after": "tasks", "limit": 1}`, StatusOK); got != "[]" {
		t.Error(got)
	}
	if got := p.ask("queue_count", `{}`, StatusOK); got != "1" {
		t.Error(got)
	}
	p.ask("queue_create", `{"name": "tasks"}`, StatusQueueExists)
	p.ask("queue_get", `{"name": "others"}`, StatusQueueNotFound)
}

func TestSettingsOfAQueueCrossBothWays(t *testing.T) {
	p := asking(t)
	const settings = `"default_vt_us":90000000,"max_read_ct":0,"retention_us":0,"retry":{"kind":"exponential","base_us":1000000,"max_us":60000000,"jitter":0.5}}`
	if got := p.ask("queue_create", `{"name":"tasks",`+settings, StatusOK); !strings.HasSuffix(got, settings) {
		t.Error(got)
	}
	if got := p.ask("queue_update", `{"name":"tasks"}`, StatusOK); !strings.HasSuffix(got, settings) {
		t.Error(got)
	}
	got := p.ask("queue_update", `{"name":"tasks","default_vt_us":null,"max_read_ct":3,"retry":{"kind":"fixed","base_us":5}}`, StatusOK)
	if !strings.HasSuffix(got, `"default_vt_us":null,"max_read_ct":3,"retention_us":0,"retry":{"kind":"fixed","base_us":5,"max_us":0,"jitter":0}}`) {
		t.Error(got)
	}
	got = p.ask("queue_update", `{"name":"tasks","max_read_ct":null,"retention_us":null,"retry":null}`, StatusOK)
	if !strings.HasSuffix(got, `"default_vt_us":null,"max_read_ct":null,"retention_us":null,"retry":null}`) {
		t.Error(got)
	}
	if got := p.ask("queue_pause", `{"name":"tasks"}`, StatusOK); !strings.Contains(got, `"paused_at_us":1`) {
		t.Error(got)
	}
	if got := p.ask("queue_resume", `{"name":"tasks"}`, StatusOK); !strings.Contains(got, `"paused_at_us":null`) {
		t.Error(got)
	}
	if got := p.ask("queue_purge", `{"name":"tasks"}`, StatusOK); got != "0" {
		t.Error(got)
	}
	if got := p.ask("queue_delete", `{"name":"tasks"}`, StatusOK); got != "{}" {
		t.Error(got)
	}
	for arguments, want := range map[string]string{
		`"default_vt_us": 1`:                                          "default_vt must be between",
		`"max_read_ct": -1`:                                           "max_read_ct must be between",
		`"retention_us": -1`:                                          "retention must be between",
		`"retention_us": 9223372036854775807`:                         "retention must be between",
		`"retry": {"kind": "sometimes"}`:                              `not "sometimes"`,
		`"retry": {"kind": "none", "max_us":1}`:                       "neither base nor max",
		`"retry": {"kind": "fixed", "jitter":2}`:                      "jitter",
		`"retry": {"kind": "exponential", "base_us": 2, "max_us": 1}`: "max of a retry policy",
	} {
		for _, name := range []string{"queue_create", "queue_update"} {
			if got := p.ask(name, `{"name":"tasks",`+arguments+"}", StatusInvalid); !strings.Contains(got, want) {
				t.Errorf("%s %s: %s", name, arguments, got)
			}
		}
	}
}

func TestWhatIsWrongWithARequestIsNamed(t *testing.T) {
	p := asking(t)
	for _, c := range []struct{ name, arguments, want string }{
		{"queue_frobnicate", "{}", `there is no request "queue_frobnicate"`},
		{"", "", `there is no request ""`},
		{"queue_create", "", `the argument "name" is missing`},
		{"queue_create", "[]", "must be a JSON object"},
		{"queue_create", "null", "must be a JSON object"},
		{"queue_create", `{"name": "a"`, "must be a JSON object"},
		{"queue_create", `{"name": "a"} {}`, "must be a JSON object"},
		{"queue_create", "{\"name\": \"\xff\"}", "not valid UTF-8"},
		{"queue_create", `{"name": "a", "Name": "b"}`, `there is no argument "Name"`},
		{"queue_create", `{"name": null}`, `the argument "name" must be a string`},
		{"queue_create", `{"name": 1}`, `the argument "name" must be a string`},
		{"queue_list", `{"limit": 1.5}`, `the argument "limit" must be an integer`},
		{"queue_list", `{"limit": "1"}`, `the argument "limit" must be an integer`},
		{"queue_list", `{"limit": 0}`, "limit must be between 1 and 1000"},
		{"queue_count", `{"name": "a"}`, `there is no argument "name"`},
	} {
		if got := p.ask(c.name, c.arguments, StatusInvalid); !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %q, want %q", c.name, c.arguments, got, c.want)
		}
	}
}

func TestArgumentsInArgumentsAreReadAsStrictly(t *testing.T) {
	type inner struct {
		Kind string   `json:"kind"`
		Most *float64 `json:"most"`
	}
	type outer struct {
		IDs   []int64        `json:"ids"`
		Inner *inner         `json:"inner"`
		Vt    change[int64]  `json:"vt_us"`
		Retry change[inner]  `json:"retry"`
		Flag  *bool          `json:"flag"`
		Other change[string] `json:"other"`
	}
	var a outer
	text := `{"ids": [1, 2], "inner": {"kind": "x", "most": null}, "vt_us": null, "retry": {"kind": "y", "most": 1.5}, "flag": true}`
	if err := decodeArguments([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	if len(a.IDs) != 2 || a.IDs[1] != 2 || a.Inner.Kind != "x" || a.Inner.Most != nil || !*a.Flag {
		t.Errorf("%+v", a)
	}
	if !a.Vt.given || a.Vt.value != nil || !a.Retry.given || *a.Retry.value.Most != 1.5 || a.Other.given {
		t.Errorf("%+v", a)
	}
	for text, want := range map[string]string{
		`{"ids": [1, null]}`:                             `"ids" must be an integer`,
		`{"ids": {}}`:                                    `"ids" must be a list`,
		`{"ids": [], "inner": 1}`:                        `"inner" must be an object`,
		`{"ids": [], "inner": {}}`:                       `"inner.kind" is missing`,
		`{"ids": [], "inner": {"kind": "", "least": 1}}`: `no argument "inner.least"`,
		`{"ids": [], "vt_us": "1"}`:                      `"vt_us" must be an integer`,
		`{"ids": [], "retry": {"kind": 1}}`:              `"retry.kind" must be a string`,
		`{"ids": [], "flag": 1}`:                         `"flag" must be true or false`,
	} {
		if err := decodeArguments([]byte(text), new(outer)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// docs/abi.md is where people look requests up. Its two tables are compared with
// the requests and records that the library has.
func TestTheListOfRequestsInTheDocumentationIsRight(t *testing.T) {
	text, err := os.ReadFile("../../../docs/abi.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (.*)")
	documented := make(map[string]string)
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = m[2]
	}
	records := make(map[string]string)
	actual := make(map[string]string)
	for name, r := range requests {
		actual[name] = keysOf(r.arguments, records) + " | " + typeOf(r.answer, records)
	}
	maps.Copy(actual, records)
	for _, name := range slices.Sorted(maps.Keys(actual)) {
		if got := documented[name]; !strings.HasPrefix(got, actual[name]+" |") {
			t.Errorf("docs/abi.md should say\n| `%s` | %s |\nand says\n| `%s` | %s |", name, actual[name], name, got)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("docs/abi.md lists %q, which is not there", name)
	}
}

// keysOf lists the keys of a record, as the documentation does: those that may be
// left out, or are null, have a question mark.
func keysOf(t reflect.Type, records map[string]string) string {
	keys := make([]string, t.NumField())
	for i := range keys {
		f := t.Field(i)
		kind, mark := f.Type, ""
		if kind.Kind() == reflect.Pointer {
			kind, mark = kind.Elem(), "?"
		} else if c, ok := reflect.New(kind).Interface().(changing); ok {
			kind, mark = c.giveValue().Type().Elem(), "?"
		}
		keys[i] = fmt.Sprintf("`%s`%s %s", f.Tag.Get("json"), mark, typeOf(kind, records))
	}
	if len(keys) == 0 {
		return "–"
	}
	return strings.Join(keys, ", ")
}

// typeOf is the type of a value in the documentation; that of a record is its
// name, and the record itself is entered among the records.
func typeOf(t reflect.Type, records map[string]string) string {
	switch t.Kind() {
	case reflect.Pointer:
		return typeOf(t.Elem(), records)
	case reflect.Slice:
		return "list of " + typeOf(t.Elem(), records)
	case reflect.Struct:
		if t == reflect.TypeFor[none]() {
			return "{}"
		}
		name := strings.TrimSuffix(t.Name(), "Record")
		name = strings.ToLower(regexp.MustCompile("([a-z])([A-Z])").ReplaceAllString(name, "${1}_${2}"))
		records[name] = keysOf(t, records)
		return name
	default:
		return wireType(t)
	}
}

func TestTheFootprintIsThatOfTheLibrary(t *testing.T) {
	p := asking(t)
	if got := p.ask("footprint", "", StatusOK); !regexp.MustCompile(`^{"goroutines":[1-9]\d*,"heap_bytes":[1-9]\d*}$`).MatchString(got) {
		t.Error(got)
	}
}
