package pgqrs_test

import (
	"context"
	"fmt"
	"log"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

// The first Go program of the README.
func Example() {
	ctx := context.Background()
	store, err := pgqrs.Connect(ctx, "memory://") // or postgresql://localhost/mydb
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = store.Close(ctx) }()

	email := map[string]string{"to": "ann@example.com"}
	if _, err := pgqrs.Enqueue().Message(email).To("emails").Execute(ctx, store); err != nil {
		log.Fatal(err)
	}
	send := func(ctx context.Context, msg *pgqrs.Message) error {
		fmt.Printf("%s, delivery %d\n", msg.Payload, msg.ReadCount)
		return nil // archive it; an error: it comes again
	}
	if err := pgqrs.Dequeue().From("emails").Handle(send).UntilEmpty().Execute(ctx, store); err != nil {
		log.Fatal(err)
	}
	// Output: {"to":"ann@example.com"}, delivery 1
}

func ExampleConsumer_Messages() {
	ctx := context.Background()
	store, err := pgqrs.Connect(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = store.Close(ctx) }()
	producer, err := store.Producer(ctx, "tasks")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := producer.BatchEnqueue(ctx, []any{"wash", "dry", "fold"}); err != nil {
		log.Fatal(err)
	}
	consumer, err := store.Consumer(ctx, "tasks")
	if err != nil {
		log.Fatal(err)
	}
	for m, err := range consumer.Messages(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(m.Payload))
		if _, err := m.Archive(ctx); err != nil {
			log.Fatal(err)
		}
		if string(m.Payload) == `"fold"` {
			break // what was fetched and not delivered goes back
		}
	}
	// Output:
	// "wash"
	// "dry"
	// "fold"
}
