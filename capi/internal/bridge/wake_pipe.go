//go:build unix && (!linux || pgqrs_pipe)

package bridge

import "syscall"

// wake is a descriptor that a program polls: readable after set, not readable
// after reset. The Ring calls set and reset in turns, under its lock. This one is
// a pipe that holds one byte or none, for systems without eventfd; the tag
// pgqrs_pipe chooses it on Linux, for tests.
type wake struct{ ends [2]int }

func newWake() (*wake, error) {
	w := &wake{}
	// No descriptor may be inherited by a program that is started between the
	// pipe and its close-on-exec flag.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := syscall.Pipe(w.ends[:]); err != nil {
		return nil, err
	}
	for _, fd := range w.ends {
		syscall.CloseOnExec(fd)
		if err := syscall.SetNonblock(fd, true); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

func (w *wake) fd() int { return w.ends[0] }

// set writes one byte into the empty pipe: it cannot block, and a descriptor that
// does not block is never interrupted.
func (w *wake) set() { _, _ = syscall.Write(w.ends[1], []byte{1}) }

// reset reads the byte.
func (w *wake) reset() {
	var one [1]byte
	_, _ = syscall.Read(w.ends[0], one[:])
}

func (w *wake) close() {
	_ = syscall.Close(w.ends[0])
	_ = syscall.Close(w.ends[1])
}
