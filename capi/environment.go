package main

// #include <stdlib.h>
import "C"

import (
	"os"
	"sync"
	"unsafe"
)

// What pgx takes from the environment where a DSN says nothing.
var libpqVariables = []string{
	"PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE", "PGAPPNAME",
	"PGCONNECT_TIMEOUT", "PGSSLMODE", "PGSSLKEY", "PGSSLCERT", "PGSSLCERTMODE", "PGSSLSNI",
	"PGSSLROOTCERT", "PGSSLPASSWORD", "PGSSLNEGOTIATION", "PGTARGETSESSIONATTRS", "PGSERVICE",
	"PGSERVICEFILE", "PGTZ", "PGOPTIONS", "PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION",
	"PGCHANNELBINDING", "PGREQUIREAUTH",
}

var environmentMutex sync.Mutex

// followEnvironment takes over libpq's variables as the program has them now. The
// Go runtime has its own copy of the environment, from the start of the process:
// what the program set since then (setenv, Python's os.environ) is not in it.
func followEnvironment() {
	environmentMutex.Lock()
	defer environmentMutex.Unlock()
	for _, name := range libpqVariables {
		cName := C.CString(name)
		value := C.getenv(cName)
		C.free(unsafe.Pointer(cName))
		ours, known := os.LookupEnv(name)
		// Only what differs is written, for writing goes to the program's
		// environment too, where its other threads may be reading.
		switch {
		case value == nil && known:
			_ = os.Unsetenv(name)
		case value != nil && (!known || ours != C.GoString(value)):
			_ = os.Setenv(name, C.GoString(value))
		}
	}
}
