// Command capi is the C library libpgqrs: pgqrs.h is its specification, and
// this package is all the cgo that pgqrs has. build.sh builds it.
//
// A call comes in through face.c, which turns forked children away, goes to the
// exported function of the same noun here (export_*.go), which turns pointers
// and handles into Go values and refuses what cannot be, and on to package
// bridge, which does the work. Calls come in threads of the program, any number
// at the same time.
package main

import "github.com/pgqrs/pgqrs/capi/internal/bridge"

// The two tables that C can refer to; there is one library in a process.
var (
	library = bridge.NewLibrary(cMemory{}, bridge.OpenCore)
	handles = newHandleTable()
)

// main is never called: the build mode c-shared wants it.
func main() {}
