// Package memory keeps queues in the memory of this process.
//
// It is what memory:// connects to: users' unit tests run on it, with the same
// answers as on PostgreSQL and nothing to install. It is written to be read:
// state is kept for each message, every method takes one lock, and each rule of
// package backend stands here in its plainest form. backendtest checks it with
// the same suite and the same model as every other backend.
//
// The rules that a reader may look for:
//
//   - Every live message, leased or not, stands in its queue's line by (vt, id).
//     What is at the head with its vt passed is ready; a lease is nothing but a
//     later vt and a number. So an expired lease needs nobody to notice it.
//   - A lease that has expired still settles its messages as long as nobody took
//     them.
//   - A suspect is a message whose lease expired: its holder may have died of it.
//     With a read count of 2 or more it is dequeued alone, one at a time, so that
//     a message that kills its holder takes no neighbour to the dead letters. (A
//     suspect that was leased once comes back among the others.)
//
// Nothing is durable, and no other process sees it. The package imports the
// standard library and package backend; any goroutine may call it.
package memory
