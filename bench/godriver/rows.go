package main

import (
	"context"
	_ "embed"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

//go:embed rows.sql
var rowTables string

// rows is the row model. Each consumer has two connections: its dequeues commit
// asynchronously, as those of pgqrs do, and its archives durably, each in one
// round trip of a prepared statement.
type rows struct {
	dsn       string
	producer  *pgx.Conn
	batch     [][]byte
	consumers []*rowConsumer
}

func openRows(ctx context.Context, dsn string) (subject, error) {
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	_, err = c.Exec(ctx, rowTables)
	return &rows{dsn: dsn, producer: c}, err
}

func (m *rows) Tables() []string { return []string{"row_messages", "row_archive"} }

func (m *rows) Live() string { return "select count(*) from row_messages" }

func (m *rows) Close() {
	ctx := context.Background()
	_ = m.producer.Close(ctx)
	for _, c := range m.consumers {
		_ = c.leasing.Close(ctx)
		_ = c.archiving.Close(ctx)
	}
}

func (m *rows) Prepare(ctx context.Context, r *request) error {
	m.batch = payloads(max(r.Batch, 1), r.Bytes)
	for len(m.consumers) < r.Consumers {
		c, err := m.newConsumer(ctx, int64(len(m.consumers)+1))
		if err != nil {
			return err
		}
		m.consumers = append(m.consumers, c)
	}
	return fill(r, func(batch [][]byte) error { _, err := m.produce(ctx, batch); return err })
}

func (m *rows) Run(ctx context.Context, r *request) (*answer, error) {
	switch r.Kind {
	case "produce":
		if r.Tasks > 1 {
			return nil, errUnknown
		}
		return loop(ctx, r.Seconds, 1, func(ctx context.Context, _ int) (int, error) { return m.produce(ctx, m.batch) })
	case "drain":
		return loop(ctx, r.Seconds, r.Consumers, func(ctx context.Context, i int) (int, error) {
			return m.consumers[i].take(ctx, r.Batch)
		})
	case "cycle":
		return loop(ctx, r.Seconds, 1, func(ctx context.Context, _ int) (int, error) {
			if _, err := m.produce(ctx, m.batch); err != nil {
				return 0, err
			}
			return m.consumers[0].take(ctx, r.Batch)
		})
	}
	return nil, errUnknown
}

func (m *rows) produce(ctx context.Context, batch [][]byte) (int, error) {
	var ids []int64
	err := m.producer.QueryRow(ctx, `
		with stored as (
			insert into row_messages (queue_id, vt, enqueued_at, payload)
			select 1, clock_timestamp(), clock_timestamp(), p from unnest($1::json[]) p
			returning id
		)
		select array_agg(id) from stored`, pgtype.FlatArray[[]byte](batch)).Scan(&ids)
	return len(ids), err
}

type rowConsumer struct {
	id        int64
	leasing   *pgx.Conn
	archiving *pgx.Conn
}

func (m *rows) newConsumer(ctx context.Context, id int64) (*rowConsumer, error) {
	leasing, err := pgx.Connect(ctx, m.dsn)
	if err != nil {
		return nil, err
	}
	if _, err := leasing.Exec(ctx, "set synchronous_commit = off"); err != nil {
		return nil, err
	}
	archiving, err := pgx.Connect(ctx, m.dsn)
	return &rowConsumer{id, leasing, archiving}, err
}

// take leases up to limit messages, reads them and archives them.
func (c *rowConsumer) take(ctx context.Context, limit int) (int, error) {
	found, err := c.leasing.Query(ctx, `
		with ready as materialized (
			select id from row_messages
			where queue_id = 1 and consumer_worker_id is null and vt <= clock_timestamp()
			order by vt, id
			limit $1
			for update skip locked
		)
		update row_messages m
		set vt = clock_timestamp() + interval '30 seconds', read_ct = read_ct + 1,
		    dequeued_at = clock_timestamp(), consumer_worker_id = $2
		from ready where m.id = ready.id
		returning m.id, m.payload, m.enqueued_at, m.vt, m.read_ct`, limit, c.id)
	if err != nil {
		return 0, err
	}
	var (
		id             int64
		text           []byte
		enqueuedAt, vt time.Time
		readCount      int32
		ids            []int64
	)
	_, err = pgx.ForEachRow(found, []any{&id, &text, &enqueuedAt, &vt, &readCount}, func() error {
		ids = append(ids, id)
		return nil
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	var archived []int64
	err = c.archiving.QueryRow(ctx, `
		with gone as (
			delete from row_messages where id = any($1) and consumer_worker_id = $2
			returning id, queue_id, vt, enqueued_at, read_ct, dequeued_at, consumer_worker_id, payload
		), put as (
			insert into row_archive (id, queue_id, vt, enqueued_at, read_ct, dequeued_at, consumer_worker_id, archived_at, payload)
			select id, queue_id, vt, enqueued_at, read_ct, dequeued_at, consumer_worker_id, clock_timestamp(), payload from gone
			returning id
		)
		select array_agg(id) from put`, ids, c.id).Scan(&archived)
	return len(archived), err
}
