//go:build pgqrs_panic

package bridge

// panicOnCommand panics inside an operation on the queue "pgqrs:panic", so that
// a test can see from outside that the host process lives on.
func panicOnCommand(queue string) {
	if queue == "pgqrs:panic" {
		panic("on command")
	}
}
