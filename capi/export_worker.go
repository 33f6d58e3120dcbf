package main

// #include "face.h"
import "C"

import "github.com/pgqrs/pgqrs/capi/internal/bridge"

//export goRegister
func goRegister(store C.pgqrs_store, op C.uint64_t, role C.int32_t, queue *C.const_char, queueLength C.size_t,
	hostname *C.const_char, hostnameLength C.size_t, port C.int32_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	s := c.store(store)
	name := c.bytes("queue", queue, queueLength, bridge.MaxText)
	host := c.bytes("hostname", hostname, hostnameLength, bridge.MaxText)
	if c.refusal == nil {
		c.refusal = s.Register(uint64(op), int32(role), name, host, int32(port))
	}
	return c.end()
}
