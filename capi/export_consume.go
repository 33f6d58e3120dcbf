package main

// #include "face.h"
import "C"

import (
	"unsafe"

	"github.com/pgqrs/pgqrs/capi/internal/bridge"
)

//export goDequeue
func goDequeue(store C.pgqrs_store, op C.uint64_t, worker C.int64_t, limit C.uint32_t, vtMicros C.int64_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	if s := c.store(store); c.refusal == nil {
		c.refusal = s.Dequeue(uint64(op), int64(worker), uint32(limit), int64(vtMicros))
	}
	return c.end()
}

//export goConsumeIter
func goConsumeIter(store C.pgqrs_store, op C.uint64_t, queue *C.const_char, queueLength C.size_t,
	options *C.const_consume_options, stream *C.pgqrs_stream) (code C.int32_t) {
	defer survive(&code)
	var c call
	if stream == nil {
		c.refuse(bridge.StatusBadArgument, "stream is NULL")
		return c.end()
	}
	*stream = 0
	s := c.store(store)
	name := c.bytes("queue", queue, queueLength, bridge.MaxText)
	var o bridge.ConsumeOptions
	if options != nil {
		o = *(*bridge.ConsumeOptions)(unsafe.Pointer(options))
	}
	if c.refusal != nil {
		return c.end()
	}
	st, refusal := s.ConsumeIter(uint64(op), name, o)
	if refusal != nil {
		c.refusal = refusal
		return c.end()
	}
	*stream = C.pgqrs_stream(handles.add(openStream{st, s}))
	return c.end()
}

//export goCredit
func goCredit(stream C.pgqrs_stream) (code C.int32_t) {
	defer survive(&code)
	var c call
	if st := c.stream(stream); c.refusal == nil {
		c.refusal = st.Credit()
	}
	return c.end()
}

//export goStreamClose
func goStreamClose(stream C.pgqrs_stream) (code C.int32_t) {
	defer survive(&code)
	var c call
	st, ok := handles.remove(handle(stream), isStream).(openStream)
	if !ok {
		c.refuse(bridge.StatusBadHandle, "%#x is not a stream, or was closed", uint64(stream))
		return c.end()
	}
	st.Close()
	return c.end()
}

func isStream(value any) bool {
	_, ok := value.(openStream)
	return ok
}

// goBatchFree takes the address as a number: see bridge.Library.FreeBatch.
//
//export goBatchFree
func goBatchFree(address C.uintptr_t) {
	var code C.int32_t
	defer survive(&code)
	library.FreeBatch(uintptr(address))
}
