//go:build linux && !pgqrs_pipe

package bridge

import (
	"encoding/binary"
	"syscall"
)

// wake is a descriptor that a program polls: readable after set, not readable
// after reset. The Ring calls set and reset in turns, under its lock. This one is
// an eventfd (eventfd(2)): one descriptor and a counter in the kernel.
type wake struct{ descriptor int }

func newWake() (*wake, error) {
	// EFD_CLOEXEC and EFD_NONBLOCK have the values of their O_ namesakes.
	fd, _, errno := syscall.Syscall(syscall.SYS_EVENTFD2, 0, syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if errno != 0 {
		return nil, errno
	}
	return &wake{descriptor: int(fd)}, nil
}

func (w *wake) fd() int { return w.descriptor }

// set adds one to the counter, which is zero: it can neither block nor overflow,
// and a descriptor that does not block is never interrupted.
func (w *wake) set() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = syscall.Write(w.descriptor, one[:])
}

// reset reads the counter, which sets it to zero.
func (w *wake) reset() {
	var counter [8]byte
	_, _ = syscall.Read(w.descriptor, counter[:])
}

func (w *wake) close() { _ = syscall.Close(w.descriptor) }
