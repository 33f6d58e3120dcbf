//go:build !pgqrs_panic

package bridge

// panicOnCommand does nothing: only a library that was built with the tag
// pgqrs_panic panics on command.
func panicOnCommand(string) {}
