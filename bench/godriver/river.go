package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// riverPeer is River. A client for producing is not started; each consuming has a
// client of its own, with the settings of its own command `river bench`.
type riverPeer struct {
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
	batch  []river.InsertManyParams
}

// riverArgs is the payload of every workload.
type riverArgs struct {
	Task    string `json:"task"`
	To      string `json:"to"`
	Subject string `json:"subject"`
	N       int64  `json:"n"`
	Pad     string `json:"pad,omitempty"`
}

func (riverArgs) Kind() string { return "bench" }

func newRiverArgs(n int64, pad string) riverArgs {
	return riverArgs{"send_email", "user@example.com", "Hello", n, pad}
}

// riverWorkers is how many jobs River works on at once, as in `river bench`, and
// riverConnections how many connections it may use, as many as the other subjects.
const (
	riverWorkers     = 2000
	riverConnections = 16
)

func openRiver(ctx context.Context, dsn string) (subject, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.MaxConns = riverConnections
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	driver := riverpgxv5.New(pool)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, err
	}
	client, err := river.NewClient(driver, &river.Config{Logger: slog.New(slog.DiscardHandler)})
	return &riverPeer{pool: pool, client: client}, err
}

func (p *riverPeer) Tables() []string { return []string{"river_job"} }

func (p *riverPeer) Live() string {
	return "select count(*) from river_job where state <> 'completed'"
}

func (p *riverPeer) Close() { p.pool.Close() }

func (p *riverPeer) Prepare(ctx context.Context, r *request) error {
	text := pad(r.Bytes)
	jobs := func(n int) []river.InsertManyParams {
		all := make([]river.InsertManyParams, n)
		for i := range all {
			all[i].Args = newRiverArgs(firstN+int64(i), text)
		}
		return all
	}
	p.batch = jobs(max(r.Batch, 1))
	batch := jobs(fillBatch)
	return fill(r, func(texts [][]byte) error {
		_, err := p.client.InsertManyFast(ctx, batch[:len(texts)])
		return err
	})
}

func (p *riverPeer) Run(ctx context.Context, r *request) (*answer, error) {
	switch {
	case r.Kind == "produce" && r.Batch > 1:
		// By COPY, which gives no ids back: the fastest that it has.
		return loop(ctx, r.Seconds, r.Tasks, func(ctx context.Context, _ int) (int, error) {
			return p.client.InsertManyFast(ctx, p.batch)
		})
	case r.Kind == "produce":
		args := p.batch[0].Args
		return loop(ctx, r.Seconds, r.Tasks, func(ctx context.Context, _ int) (int, error) {
			_, err := p.client.Insert(ctx, args, nil)
			return 1, err
		})
	case r.Kind == "consume":
		return consumeBacklog(ctx, p, r)
	}
	return nil, errUnknown
}

func (p *riverPeer) Produce(ctx context.Context, n int64) error {
	_, err := p.client.Insert(ctx, newRiverArgs(n, ""), nil)
	return err
}

// riverWorker handles a job by giving its payload away.
type riverWorker struct {
	river.WorkerDefaults[riverArgs]
	seen func(payload []byte)
}

func (w *riverWorker) Work(_ context.Context, job *river.Job[riverArgs]) error {
	w.seen(job.EncodedArgs)
	return nil
}

// Handle consumes until ctx ends.
func (p *riverPeer) Handle(ctx context.Context, seen func(payload []byte)) error {
	workers := river.NewWorkers()
	river.AddWorker(workers, &riverWorker{seen: seen})
	client, err := river.NewClient(riverpgxv5.New(p.pool), &river.Config{
		FetchCooldown:     2 * time.Millisecond,
		FetchPollInterval: 20 * time.Millisecond,
		Logger:            slog.New(slog.DiscardHandler),
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: riverWorkers}},
		Workers:           workers,
	})
	if err != nil {
		return err
	}
	background := context.WithoutCancel(ctx)
	if err := client.Start(background); err != nil {
		return err
	}
	<-ctx.Done()
	return client.Stop(background) // what was worked on is completed
}
