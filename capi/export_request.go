package main

// #include "face.h"
import "C"

import "github.com/pgqrs/pgqrs/capi/internal/bridge"

//export goRequest
func goRequest(store C.pgqrs_store, op C.uint64_t, name *C.const_char, nameLength C.size_t,
	arguments *C.const_char, argumentsLength C.size_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	s := c.store(store)
	key := c.bytes("name", name, nameLength, bridge.MaxText)
	text := c.bytes("arguments", arguments, argumentsLength, bridge.MaxArguments)
	if c.refusal == nil {
		c.refusal = s.Request(uint64(op), key, text)
	}
	return c.end()
}
