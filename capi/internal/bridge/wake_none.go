//go:build !unix

package bridge

// wake stands for the descriptor that a program polls, on systems where none can be
// had that its event loop would take (on Windows those take sockets alone, or none at
// all): a thread calls Ring.Wait there.
type wake struct{}

func newWake() (*wake, error) { return &wake{}, nil }

func (*wake) fd() int { return -1 }
func (*wake) set()    {}
func (*wake) reset()  {}
func (*wake) close()  {}
