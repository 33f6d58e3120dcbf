package bridge

import (
	"fmt"
	"strings"
	"testing"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

func TestWorkersAreAskedForAndMoved(t *testing.T) {
	p := asking(t)
	p.asked++
	accepted(t, p.store.Register(p.asked, int32(pgqrs.RoleConsumer), []byte("tasks"), []byte("host"), 8080))
	c := p.wait(p.asked)
	p.library.discard(c)
	if c.Status != StatusOK {
		t.Fatalf("register completed with %+v", c)
	}
	const one = `{"worker_id": 1}`
	worker := p.ask("worker_get", one, StatusOK)
	if !strings.HasPrefix(worker, `{"id":1,"name":"host-1","queue_id":1,"hostname":"host","port":8080,"status":"ready","started_at_us":1`) ||
		!strings.HasSuffix(worker, `,"shutdown_at_us":null}`) {
		t.Error(worker)
	}
	if got := p.ask("worker_list", `{"queue": "tasks", "status": "ready", "before": 2, "limit": 1}`, StatusOK); !strings.HasPrefix(got, `[{"id":1,`) {
		t.Error(got)
	}
	if got := p.ask("worker_list", `{"status": "stopped"}`, StatusOK); got != "[]" {
		t.Error(got)
	}
	const health = `"total":1,"ready":1,"polling":0,"suspended":0,"interrupted":0,"stopped":0,"stale":0}]`
	if got := p.ask("worker_health", "", StatusOK); got != `[{"queue_id":null,`+health {
		t.Error(got)
	}
	if got := p.ask("worker_health", `{"queue": "tasks", "by_queue": true, "stale_after_us": 60000000}`, StatusOK); got != `[{"queue_id":1,`+health {
		t.Error(got)
	}
	p.ask("worker_beat", one, StatusOK)
	p.ask("worker_interrupt", one, StatusStateTransition)
	for _, move := range [][2]string{{"worker_suspend", "suspended"}, {"worker_resume", "ready"}, {"worker_stop", "stopped"}} {
		if got := p.ask(move[0], one, StatusOK); !strings.Contains(got, fmt.Sprintf(`"status":%q`, move[1])) {
			t.Error(got)
		}
	}
	p.ask("worker_beat", one, StatusStateTransition)
	if got := p.ask("worker_release", one, StatusOK); got != "0" {
		t.Error(got)
	}
	if got := p.ask("worker_reclaim", `{"queue": "tasks"}`, StatusOK); got != "0" {
		t.Error(got)
	}
	if got := p.ask("worker_purge", `{"older_than_us": 60000000}`, StatusOK); got != "0" {
		t.Error(got)
	}
	p.ask("worker_get", `{"worker_id": 2}`, StatusWorkerNotFound)
	p.ask("worker_purge", `{"older_than_us": -1}`, StatusInvalid)
}
