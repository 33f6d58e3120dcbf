package pgqrs_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/internal/testserver"
)

// judge asks both, our rules and the server, about a payload.
type judge struct {
	store  *pgqrs.Store
	server *pgx.Conn
}

func newJudge(t testing.TB) *judge {
	t.Helper()
	ctx := context.Background() // longer than that of a fuzz target's f
	c, err := pgx.Connect(ctx, testserver.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(ctx) })
	s, err := pgqrs.Connect(ctx, "memory://")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return &judge{store: s, server: c}
}

// verdicts says whether we take the payload and whether jsonb does; and why not.
func (j *judge) verdicts(t testing.TB, payload []byte) (ours, theirs error) {
	t.Helper()
	ours = j.store.CheckPayload(payload)
	var same bool
	// As text: the parameter must reach the server's own parser as it is.
	theirs = j.server.QueryRow(context.Background(), `select ($1::text::json is not null) and ($1::text::jsonb is not null)`,
		pgx.QueryExecModeExec, string(payload)).Scan(&same)
	if j.server.IsClosed() {
		t.Fatalf("the server hung up on %.100q: %v", payload, theirs)
	}
	return ours, theirs
}

func nested(open, inside, end string, depth int) string {
	return strings.Repeat(open, depth) + inside + strings.Repeat(end, depth)
}

// edges are payloads at the limits of JSON, of jsonb and of numeric, and whether
// they can be stored.
var edges = map[string]bool{
	``: false, ` `: false, `nul`: false, `null`: true, ` true `: true, "\t\r\n1": true, "\v1": false, "\u00a01": false,
	`1`: true, `-1`: true, `-0`: true, `-0.0`: true, `+1`: false, `01`: false, `1.`: false, `.5`: false, `1e`: false,
	`NaN`: false, `Infinity`: false, `-`: false, `0x10`: false, `1_000`: false,
	`1 2`: false, `[1,]`: false, `{"a":1,}`: false, `{a:1}`: false, `{"a":1,"a":2}`: true, `[1`: false, `]`: false, `'a'`: false,
	`1e131071`: true, `1e131072`: false, `1E+131071`: true, `1E+131072`: false, `-9.99e131071`: true,
	`10e131070`: true, `10e131071`: false, `0.01e131073`: true, `0.01e131074`: false, `0.1e131072`: true, `0.1e131073`: false,
	`0e131072`: true, `0e1000000000`: true, `0.000e999999`: true, `0e1073741822`: true, `0e2147483647`: false,
	`0e99999999999999999999`: false, `1e99999999999999999999`: false, `1e-99999999999999999999`: false,
	`1e-16383`: true, `1e-16384`: false, `0e-16383`: true, `0e-16384`: false, `1.5e-16382`: true, `1.5e-16383`: false,
	`[1e-16384]`: false, `{"a":[{"b":1e131072}]}`: false, `{"1e131072":"1e131072"}`: true, `0.10e-16382`: false,
	strings.Repeat("9", 131072): true, strings.Repeat("9", 131073): false, `0.` + strings.Repeat("0", 16382) + `1`: true,
	`0.` + strings.Repeat("0", 16383) + `1`: false, `1.` + strings.Repeat("0", 16384): false, `1.` + strings.Repeat("0", 16384) + `e1`: true,

	`"\u0000"`: false, `"a\u0000b"`: false, `{"\u0000":1}`: false, `"\\u0000"`: true, `"\\\u0000"`: false, `"\u0001"`: true, "\"\x00\"": false,
	"\"\x01\"": false, "\"\n\"": false, "\"\x7f\"": true, `"\a"`: false, `"\/\b\f\n\r\t\"\\"`: true, `"\u00"`: false, `"\u00g0"`: false, `"\U0041"`: false,
	`"\ud83d\ude00"`: true, `"\uD83D\uDE00"`: true, `"\ud83d"`: false, `"\ude00"`: false, `"\ude00\ud83d"`: false, `"\ud83dx"`: false,
	`"\ud83d\n"`: false, `"\ud83d\u0041"`: false, `"\ud83d\ud83d\ude00"`: false, `"\ud83d\\ude00"`: false, `"\ud800\udc00\udbff\udfff"`: true,
	`{"\ud83d":1}`: false, `"\\ud83d"`: true, `"\uffff\ufffe"`: true,
	`"ü€😀"`: true, "\"\xff\"": false, "\"\xc0\x80\"": false, "\"\xed\xa0\xbd\"": false, "\"\xf4\x90\x80\x80\"": false, "\"\xe2\x82\"": false,
	"\ufeff1": false, "\"\uffff\"": true,

	nested("[", "", "]", 5000): true, nested(`{"a":`, "1", "}", 5000): true, nested(`[{"a":`, "1", "}]", 2500): true,
	`"` + strings.Repeat("[", 10000) + `"`: true, "[" + strings.Repeat("[],", 10000) + "[]]": true,
}

func TestPayloadsAreJudgedAsTheServerDoes(t *testing.T) {
	j := newJudge(t)
	for payload, good := range edges {
		ours, theirs := j.verdicts(t, []byte(payload))
		if (ours == nil) != good || (theirs == nil) != good {
			t.Errorf("%.60q is %v, but for us %v, and for the server %v", payload, good, ours, theirs)
		}
		if ours != nil && !errors.Is(ours, pgqrs.ErrSerialization) {
			t.Errorf("%.60q: the wrong kind of error: %v", payload, ours)
		}
	}
}

func TestPayloadsAreRefusedBeforeTheyStrainTheServer(t *testing.T) {
	j := newJudge(t)
	for name, payload := range map[string]string{
		"too deep":         nested("[", "", "]", 5001),
		"far too deep":     nested("[", "", "]", 1_000_000),
		"too many values":  "[" + strings.Repeat("0,", 1<<22+1) + "0]",
		"too many members": "{" + strings.Repeat(`"":0,`, 1<<21+1) + `"":0}`,
	} {
		if err := j.store.CheckPayload([]byte(payload)); !errors.Is(err, pgqrs.ErrSerialization) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatOnlySomeVersionsOfTheServerTakeIsRefused(t *testing.T) {
	j := newJudge(t)
	if err := j.store.CheckPayload([]byte("0e1073741823")); !errors.Is(err, pgqrs.ErrSerialization) { // 15 refuses it, 18 does not
		t.Error(err)
	}
}

func TestAsManyValuesAsWeTakeFitIntoJSONB(t *testing.T) {
	j := newJudge(t)
	ours, theirs := j.verdicts(t, []byte("["+strings.Repeat("1,", 1<<22)+"1]"))
	if ours != nil || theirs != nil {
		t.Errorf("for us %v, for the server %v", ours, theirs)
	}
}

func TestMaxPayloadSizeIsKept(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t, func(c *pgqrs.Config) { c.MaxPayloadSize = 5 })
		if _, err := s.Produce(t.Context(), "tasks", []byte(`"123"`), pgqrs.ProduceOptions{}); err != nil {
			t.Error(err)
		}
		if _, err := s.Produce(t.Context(), "tasks", []byte(`"1234"`), pgqrs.ProduceOptions{}); !errors.Is(err, pgqrs.ErrInvalid) {
			t.Error(err)
		}
	})
}

func TestPayloadsComeBackToTheByte(t *testing.T) {
	onEach(t, func(t *testing.T, p *place) {
		s := p.connect(t)
		var good [][]byte
		for payload, ok := range edges {
			if ok {
				good = append(good, []byte(payload))
			}
		}
		ids, err := s.ProduceBatch(t.Context(), "tasks", good, pgqrs.ProduceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			if got := p.record(t, id).Payload; string(got) != string(good[i]) {
				t.Errorf("%.60q became %.60q", good[i], got)
			}
		}
	})
}

// FuzzPayload looks for a payload on which we and the server differ: one that
// we take must be one that every query of a view can show, and the other way
// round, but for depth and size.
func FuzzPayload(f *testing.F) {
	for payload := range edges {
		if len(payload) < 200 {
			f.Add([]byte(payload))
		}
	}
	j := newJudge(f)
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) > math.MaxInt16 {
			return // longer ones find nothing new and take long
		}
		ours, theirs := j.verdicts(t, payload)
		if ours != nil && strings.Contains(ours.Error(), "nested") {
			return
		}
		if (ours == nil) != (theirs == nil) {
			t.Errorf("%q: for us %v, for the server %v", payload, ours, theirs)
		}
	})
}
