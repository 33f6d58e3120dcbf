package sqlfile_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pgqrs/pgqrs/core/internal/sqlfile"
)

func TestQuoteDoublesQuotes(t *testing.T) {
	if got := sqlfile.Quote(`a"b`); got != `"a""b"` {
		t.Errorf("got %s", got)
	}
}

func TestRenderSurvivesNamesThatHoldTheMarks(t *testing.T) {
	got := sqlfile.Render("$body$ {schema}.t $name${schema}.s$name$ $body$", "x$body$y$name_$")
	want := `$body__$ "x$body$y$name_$".t $name__$"x$body$y$name_$".s$name__$ $body__$`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestFillTakesEachQueryByItsName(t *testing.T) {
	files := fstest.MapFS{
		"sql/queue.sql":  {Data: []byte("-- about queues\n\n-- name: queue_get\n-- by the index of names\nselect 1\nfrom {schema}.q;\n-- name: queue_all\nselect 2\n")},
		"sql/worker.sql": {Data: []byte("-- name: worker\nselect 3")},
	}
	var q struct{ QueueGet, QueueAll, Worker string }
	if err := sqlfile.Fill(&q, files, "sql", "s"); err != nil {
		t.Fatal(err)
	}
	if q.QueueGet != "select 1\nfrom \"s\".q" || q.QueueAll != "select 2" || q.Worker != "select 3" {
		t.Errorf("got %+v", q)
	}
}

func TestFillRefusesWhatDoesNotFit(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a field without a query", "-- name: other\nselect 1", "no query is named one"},
		{"a query without a field", "-- name: one\nselect 1\n-- name: two\nselect 2", "nothing uses the query two"},
		{"a name used twice", "-- name: one\nselect 1\n-- name: one\nselect 2", "two queries"},
		{"text without a name", "select 1", "before the first name"},
	} {
		var q struct{ One string }
		err := sqlfile.Fill(&q, fstest.MapFS{"sql/a.sql": {Data: []byte(c.text)}}, "sql", "s")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
