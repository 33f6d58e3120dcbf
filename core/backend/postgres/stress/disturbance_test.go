package stress

import (
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// disturb ends connections, and lets the server crash: once in the middle of a
// short run, every 8 to 15 seconds of a long one. It returns when the stress is
// over, with the server running.
func (r *run) disturb(random *rand.Rand) {
	crash := time.Now().Add(min(time.Until(r.until)/2, 10*time.Second))
	for !r.ended() {
		if time.Now().After(crash) {
			r.crash()
			r.look()
			crash = time.Now().Add(8*time.Second + time.Duration(random.Int64N(int64(7*time.Second))))
			continue
		}
		r.wait(time.Duration(random.Int64N(int64(600 * time.Millisecond))))
		r.terminate()
	}
}

// terminate ends a connection of a backend, whatever it does.
func (r *run) terminate() {
	c, err := pgx.Connect(r.ctx, r.dsn)
	if err != nil {
		r.Errorf("connect: %v", err)
		return
	}
	defer func() { _ = c.Close(r.ctx) }()
	_, err = c.Exec(r.ctx, `
		select pg_terminate_backend(pid) from (
			select pid from pg_stat_activity
			where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
			order by state = 'active' desc, random()
			limit 1
		) one`)
	if err != nil {
		r.Errorf("terminate: %v", err)
	}
}

// look checks the tables while the calls go on.
func (r *run) look() {
	c, err := pgx.Connect(r.ctx, r.dsn)
	if err != nil {
		r.Errorf("connect: %v", err)
		return
	}
	defer func() { _ = c.Close(r.ctx) }()
	state, err := Read(r.ctx, c)
	if err != nil {
		r.Errorf("read: %v", err)
		return
	}
	for _, f := range state.Check() {
		r.Errorf("%v\n%s", f, r.history.Tell(f.ID))
	}
}

// crash ends the server without a checkpoint and starts it again.
func (r *run) crash() {
	c := begin(Crash, 0)
	if err := r.server.Crash(); err != nil {
		r.Errorf("crash: %v", err)
	}
	if err := r.server.Start(); err != nil {
		r.Errorf("start: %v", err)
	}
	c.End = now()
	r.history.AddCrash(c)
}
