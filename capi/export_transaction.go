package main

// #include "face.h"
import "C"

//export goAdmit
func goAdmit(store C.pgqrs_store, op C.uint64_t, queue *C.const_char, queueLength C.size_t,
	payloads *C.const_char, lengths *C.const_uint64, count C.uint64_t, batch C.int32_t, delayMicros, worker C.int64_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	s, name, text, sizes := c.batch(store, queue, queueLength, payloads, lengths, count)
	if c.refusal == nil {
		c.refusal = s.Admit(uint64(op), name, text, sizes, int32(batch), int64(delayMicros), int64(worker))
	}
	return c.end()
}

//export goDetach
func goDetach(store C.pgqrs_store, op C.uint64_t, queueID, worker C.int64_t, leases, ids *C.const_int64, count C.uint64_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	s, t := c.target(store, queueID, worker, leases, ids, count)
	if c.refusal == nil {
		c.refusal = s.Detach(uint64(op), t)
	}
	return c.end()
}
