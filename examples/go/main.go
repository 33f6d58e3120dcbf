// Command go packs the orders of the shop in examples/fastapi, until Ctrl-C or SIGTERM.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	pgqrs "github.com/pgqrs/pgqrs/core"
)

// order is the payload of a message.
type order struct {
	ID   int64  `json:"order"`
	Item string `json:"item"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := work(ctx, os.Getenv("PGQRS_DSN")); err != nil {
		log.Fatal(err)
	}
}

// work consumes the queue of the shop until ctx ends.
func work(ctx context.Context, dsn string) error {
	store, err := pgqrs.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer store.Close(context.WithoutCancel(ctx))
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		return err
	}
	defer pool.Close()
	handle := func(ctx context.Context, message *pgqrs.Message) error { return pack(ctx, pool, message) }
	fmt.Println("waiting for orders")
	return pgqrs.Dequeue().From("orders").Handle(handle).Concurrency(4).Execute(ctx, store)
}

// pack commits what it writes together with the end of the message, so that an order
// is packed once, however often its message is delivered.
func pack(ctx context.Context, pool *pgxpool.Pool, message *pgqrs.Message) error {
	var o order
	if err := message.Unmarshal(&o); err != nil {
		return err
	}
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "update orders set packed_by = 'go' where id = $1", o.ID); err != nil {
			return err
		}
		held, err := message.ArchiveTx(ctx, tx)
		if err == nil && !held {
			err = errors.New("somebody else has this message by now") // rolls back
		}
		return err
	})
	if err == nil {
		fmt.Printf("packed order %d\n", o.ID)
	}
	return err
}
