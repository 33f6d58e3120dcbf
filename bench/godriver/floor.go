package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

//go:embed floor.sql
var floorTables string

// floor measures what the server and the disk can do with a bare log table, one
// connection at a time: the yardsticks, not a queue.
type floor struct {
	connection *pgx.Conn
	batch      [][]byte
	first      int64 // of the ids in the table
	last       int64
}

func openFloor(ctx context.Context, dsn string) (subject, error) {
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	_, err = c.Exec(ctx, floorTables)
	return &floor{connection: c}, err
}

func (f *floor) Tables() []string { return []string{"bare_log"} }

func (f *floor) Live() string { return "select count(*) from bare_log" }

func (f *floor) Close() { _ = f.connection.Close(context.Background()) }

func (f *floor) Prepare(ctx context.Context, r *request) error {
	f.batch = payloads(max(r.Batch, 1), r.Bytes)
	if err := fill(r, func(batch [][]byte) error { _, err := f.copy(ctx, batch); return err }); err != nil {
		return err
	}
	return f.connection.QueryRow(ctx, "select coalesce(min(id), 0), coalesce(max(id), 0) from bare_log").Scan(&f.first, &f.last)
}

func (f *floor) Run(ctx context.Context, r *request) (*answer, error) {
	switch r.Kind {
	case "copy":
		return loop(ctx, r.Seconds, 1, func(ctx context.Context, _ int) (int, error) { return f.copy(ctx, f.batch) })
	case "unnest":
		return loop(ctx, r.Seconds, 1, func(ctx context.Context, _ int) (int, error) { return f.unnest(ctx) })
	case "insert":
		return loop(ctx, r.Seconds, 1, func(ctx context.Context, _ int) (int, error) { return f.insert(ctx) })
	case "select":
		return f.read(ctx, r)
	case "fdatasync":
		return writes(ctx, r)
	}
	return nil, errUnknown
}

// copy stores a batch with COPY and learns no ids.
func (f *floor) copy(ctx context.Context, batch [][]byte) (int, error) {
	now := time.Now()
	n, err := f.connection.CopyFrom(ctx, pgx.Identifier{"bare_log"}, []string{"queue_id", "enqueued_at", "payload"},
		pgx.CopyFromSlice(len(batch), func(i int) ([]any, error) { return []any{int64(1), now, batch[i]}, nil }))
	return int(n), err
}

// unnest stores a batch in one statement that returns the ids.
func (f *floor) unnest(ctx context.Context) (int, error) {
	var ids []int64
	err := f.connection.QueryRow(ctx, `
		with stored as (
			insert into bare_log (queue_id, enqueued_at, payload)
			select 1, clock_timestamp(), p from unnest($1::json[]) p
			returning id
		)
		select array_agg(id) from stored`, pgtype.FlatArray[[]byte](f.batch)).Scan(&ids)
	return len(ids), err
}

// insert stores one message and returns its id.
func (f *floor) insert(ctx context.Context) (int, error) {
	var id int64
	err := f.connection.QueryRow(ctx,
		"insert into bare_log (queue_id, enqueued_at, payload) values (1, clock_timestamp(), $1) returning id", f.batch[0]).Scan(&id)
	return 1, err
}

// read reads the backlog by ranges of ids, to its end.
func (f *floor) read(ctx context.Context, r *request) (*answer, error) {
	from := f.first
	return loop(ctx, r.Seconds, 1, func(ctx context.Context, _ int) (int, error) {
		rows, err := f.connection.Query(ctx, `
			select id, payload, enqueued_at from bare_log
			where id >= $1 and id < $2 and queue_id = 1 order by id`, from, from+int64(r.Batch))
		if err != nil {
			return 0, err
		}
		from += int64(r.Batch)
		var (
			id   int64
			text []byte
			at   time.Time
			n    int
		)
		_, err = pgx.ForEachRow(rows, []any{&id, &text, &at}, func() error { n += min(len(text), 1); return nil })
		return n, err
	})
}

// writes counts what the disk can make durable one after the other: the bound of
// everything that commits one message at a time.
func writes(ctx context.Context, r *request) (*answer, error) {
	file, err := os.CreateTemp("/tmp", "pgqrs-bench-") // where the server's data is
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close(); _ = os.Remove(file.Name()) }()
	page := make([]byte, 8192)
	for i := range 2048 { // the space is there, as in a recycled WAL segment
		if _, err := file.WriteAt(page, int64(i)*8192); err != nil {
			return nil, err
		}
	}
	if err := file.Sync(); err != nil {
		return nil, err
	}
	at := 0
	return loop(ctx, r.Seconds, 1, func(context.Context, int) (int, error) {
		at = (at + 1) % 2048
		if _, err := file.WriteAt(page, int64(at)*8192); err != nil {
			return 0, err
		}
		if err := syncData(file); err != nil {
			return 0, fmt.Errorf("fdatasync: %w", err)
		}
		return 1, nil
	})
}
