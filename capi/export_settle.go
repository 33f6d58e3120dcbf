package main

// #include "face.h"
import "C"

import "github.com/pgqrs/pgqrs/capi/internal/bridge"

//export goArchive
func goArchive(store C.pgqrs_store, op C.uint64_t, queueID, worker C.int64_t, leases, ids *C.const_int64, count C.uint64_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	s, t := c.target(store, queueID, worker, leases, ids, count)
	if c.refusal == nil {
		c.refusal = s.Archive(uint64(op), t)
	}
	return c.end()
}

//export goDelete
func goDelete(store C.pgqrs_store, op C.uint64_t, queueID, worker C.int64_t, leases, ids *C.const_int64, count C.uint64_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	s, t := c.target(store, queueID, worker, leases, ids, count)
	if c.refusal == nil {
		c.refusal = s.Delete(uint64(op), t)
	}
	return c.end()
}

//export goRelease
func goRelease(store C.pgqrs_store, op C.uint64_t, queueID, worker C.int64_t, leases, ids *C.const_int64, count C.uint64_t, delayMicros C.int64_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	s, t := c.target(store, queueID, worker, leases, ids, count)
	if c.refusal == nil {
		c.refusal = s.Release(uint64(op), t, int64(delayMicros))
	}
	return c.end()
}

//export goExtendVT
func goExtendVT(store C.pgqrs_store, op C.uint64_t, queueID, worker C.int64_t, leases, ids *C.const_int64, count C.uint64_t, byMicros C.int64_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	s, t := c.target(store, queueID, worker, leases, ids, count)
	if c.refusal == nil {
		c.refusal = s.ExtendVT(uint64(op), t, int64(byMicros))
	}
	return c.end()
}

// target reads what all of them name: deliveries of one queue.
func (c *call) target(store C.pgqrs_store, queueID, worker C.int64_t, leases, ids *C.const_int64, count C.uint64_t) (*bridge.Store, bridge.Target) {
	s := c.store(store)
	return s, bridge.Target{
		QueueID: int64(queueID), Worker: int64(worker),
		Leases: numbers[int64](c, "leases", leases, count, true),
		IDs:    numbers[int64](c, "ids", ids, count, false),
	}
}
