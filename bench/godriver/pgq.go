package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

//go:embed pgq.sql
var pgqQueue string

// pgqPeer is PgQ, which is functions in SQL: there is no library to wait for. Its
// consumers take what lies between two ticks as one batch and cannot take less, so
// a backlog is made with a tick after each batch. The ticker, a program of its own,
// decides how long a message waits; here it is called by hand.
type pgqPeer struct {
	connection *pgx.Conn
	batch      [][]byte
	table      pgx.Identifier // of the current events
}

func openPgq(ctx context.Context, dsn string) (subject, error) {
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	_, err = c.Exec(ctx, pgqQueue)
	return &pgqPeer{connection: c}, err
}

func (p *pgqPeer) Tables() []string { return nil } // Prepare makes a new queue

// Live counts the events that no finished batch holds.
func (p *pgqPeer) Live() string {
	return `select count(*) from pgq.event_template e, pgq.subscription s join pgq.tick t
		on t.tick_queue = s.sub_queue and t.tick_id = s.sub_last_tick
		where not txid_visible_in_snapshot(e.ev_txid, t.tick_snapshot)`
}

func (p *pgqPeer) Close() { _ = p.connection.Close(context.Background()) }

func (p *pgqPeer) Prepare(ctx context.Context, r *request) error {
	if _, err := p.connection.Exec(ctx, pgqQueue); err != nil {
		return err
	}
	var name string
	if err := p.connection.QueryRow(ctx, "select pgq.current_event_table('bench')").Scan(&name); err != nil {
		return err
	}
	p.table = pgx.Identifier(strings.Split(name, "."))
	p.batch = payloads(max(r.Batch, 1), r.Bytes)
	between := p.batch
	if r.Batch == 0 {
		between = payloads(min(pgqTick, max(1, pgqTick*usualBytes*10/max(r.Bytes, 1))), r.Bytes)
	}
	if _, err := p.connection.Exec(ctx, "set synchronous_commit = off"); err != nil { // for the backlog only
		return err
	}
	for left := r.Backlog; left > 0; left -= len(between) {
		if _, err := p.copy(ctx, between[:min(left, len(between))]); err != nil {
			return err
		}
		if _, err := p.connection.Exec(ctx, "select pgq.force_tick('bench'), pgq.ticker('bench')"); err != nil {
			return err
		}
	}
	_, err := p.connection.Exec(ctx, "reset synchronous_commit")
	return err
}

// pgqTick is after how many events its ticker ticks by default.
const pgqTick = 500

func (p *pgqPeer) Run(ctx context.Context, r *request) (*answer, error) {
	switch {
	case r.Kind == "produce" && r.Tasks == 1 && r.Batch > 1:
		return loop(ctx, r.Seconds, 1, func(ctx context.Context, _ int) (int, error) { return p.copy(ctx, p.batch) })
	case r.Kind == "produce" && r.Tasks == 1:
		return loop(ctx, r.Seconds, 1, func(ctx context.Context, _ int) (int, error) {
			_, err := p.connection.Exec(ctx, "select pgq.insert_event('bench', 'bench', $1)", string(p.batch[0]))
			return 1, err
		})
	case r.Kind == "drain" && r.Consumers == 1, r.Kind == "consume":
		return loop(ctx, r.Seconds, 1, func(ctx context.Context, _ int) (int, error) { return p.take(ctx) })
	}
	return nil, errUnknown
}

// copy stores events as its documentation has it for many: by COPY into the table
// that is current, for what commits before the tables are rotated (two hours).
func (p *pgqPeer) copy(ctx context.Context, batch [][]byte) (int, error) {
	now := time.Now()
	n, err := p.connection.CopyFrom(ctx, p.table, []string{"ev_time", "ev_type", "ev_data"},
		pgx.CopyFromSlice(len(batch), func(i int) ([]any, error) { return []any{now, "bench", string(batch[i])}, nil }))
	return int(n), err
}

// take reads the next batch, decodes it and finishes it.
func (p *pgqPeer) take(ctx context.Context) (int, error) {
	var id *int64
	if err := p.connection.QueryRow(ctx, "select pgq.next_batch('bench', 'bench')").Scan(&id); err != nil || id == nil {
		return 0, err
	}
	found, err := p.connection.Query(ctx, "select ev_id, ev_time, ev_data from pgq.get_batch_events($1)", *id)
	if err != nil {
		return 0, err
	}
	var (
		event int64
		at    time.Time
		text  []byte
		n     int
	)
	_, err = pgx.ForEachRow(found, []any{&event, &at, &text}, func() error {
		if !json.Valid(text) {
			return fmt.Errorf("event %d is no JSON", event)
		}
		n++
		return nil
	})
	if err != nil {
		return 0, err
	}
	_, err = p.connection.Exec(ctx, "select pgq.finish_batch($1)", *id)
	return n, err
}
