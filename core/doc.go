// Package pgqrs is a job queue on PostgreSQL.
//
//	store, err := pgqrs.Connect(ctx, "postgresql://localhost/mydb")
//	ids, err := pgqrs.Enqueue().Message(job).To("tasks").Execute(ctx, store)
//	err = pgqrs.Dequeue().From("tasks").Handle(work).Execute(ctx, store)
//
// Messages are delivered at least once. A delivery is a lease: it ends when the
// message is archived, deleted or released, or when its visibility timeout
// passes, and then the message is delivered again.
//
// # Layout
//
// Everything that is policy lives in this package, once, for every language
// that binds it: coalescing of concurrent calls (coalesce, produce, settle),
// prefetch (stream, batch), lease keeping (keeper), waiting and waking (wait)
// and retry. Where the messages are kept is a backend.Backend: connect.go alone
// knows the two that exist, postgres and memory. There is neither SQL nor cgo
// here.
//
// The exported names come in two layers. Producer, Consumer, Message, Enqueue
// and Dequeue are for Go programs. The methods of Store that take and return
// raw JSON and Batch values (ProduceAsync, OpenStream, Archive and so on) are
// what bindings of other languages stand on; the first layer is made of them.
//
// A Store and all that comes from it may be used by many goroutines at once,
// except where a method says otherwise.
package pgqrs
