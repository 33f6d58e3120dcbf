package main

// #include "face.h"
import "C"

import (
	"math"
	"time"
	"unsafe"

	"github.com/pgqrs/pgqrs/capi/internal/bridge"
)

//export goConnect
func goConnect(config *C.const_char, length C.size_t, op C.uint64_t, store *C.pgqrs_store) (code C.int32_t) {
	defer survive(&code)
	var c call
	if store == nil {
		c.refuse(bridge.StatusBadArgument, "store is NULL")
		return c.end()
	}
	*store = 0
	text := c.bytes("config", config, length, bridge.MaxText)
	if c.refusal != nil {
		return c.end()
	}
	followEnvironment()
	s, refusal := library.Connect(uint64(op), text)
	if refusal != nil {
		c.refusal = refusal
		return c.end()
	}
	*store = C.pgqrs_store(handles.add(s))
	return c.end()
}

//export goCompletionFD
func goCompletionFD(store C.pgqrs_store) (code C.int32_t) {
	defer survive(&code)
	var c call
	s := c.store(store)
	if c.refusal != nil {
		return c.end()
	}
	fd, refusal := s.FD()
	if refusal != nil {
		c.refusal = refusal
		return c.end()
	}
	return C.int32_t(fd)
}

//export goDrain
func goDrain(store C.pgqrs_store, out *C.pgqrs_completion, limit C.int32_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	s := c.store(store)
	if limit < 0 {
		c.refuse(bridge.StatusBadArgument, "max is negative: %d", int32(limit))
	} else if out == nil && limit > 0 {
		c.refuse(bridge.StatusBadArgument, "out is NULL")
	}
	if c.refusal != nil {
		return c.end()
	}
	n, refusal := s.Drain(unsafe.Slice((*bridge.Completion)(unsafe.Pointer(out)), int(limit)))
	if refusal != nil {
		c.refusal = refusal
		return c.end()
	}
	return C.int32_t(n)
}

//export goWait
func goWait(store C.pgqrs_store, timeoutMicros C.int64_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	s := c.store(store)
	if c.refusal != nil {
		return c.end()
	}
	timeout := time.Duration(-1)
	if timeoutMicros >= 0 {
		timeout = time.Duration(min(int64(timeoutMicros), math.MaxInt64/1000)) * time.Microsecond
	}
	waiting, refusal := s.Wait(timeout)
	if refusal != nil {
		c.refusal = refusal
		return c.end()
	}
	if waiting {
		return 1
	}
	return 0
}

//export goCancel
func goCancel(store C.pgqrs_store, target C.uint64_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	if s := c.store(store); c.refusal == nil {
		c.refusal = s.Cancel(uint64(target))
	}
	return c.end()
}

//export goClose
func goClose(store C.pgqrs_store, op C.uint64_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	if s := c.store(store); c.refusal == nil {
		c.refusal = s.Close(uint64(op))
	}
	return c.end()
}

//export goStoreFree
func goStoreFree(store C.pgqrs_store) (code C.int32_t) {
	defer survive(&code)
	var c call
	s, ok := handles.remove(handle(store), isStore).(*bridge.Store)
	if !ok {
		c.refuse(bridge.StatusBadHandle, "%#x is not a store, or was freed", uint64(store))
		return c.end()
	}
	handles.removeStreams(s)
	c.refusal = s.Free()
	return c.end()
}

func isStore(value any) bool {
	_, ok := value.(*bridge.Store)
	return ok
}

//export goLog
func goLog(store C.pgqrs_store, op C.uint64_t, level C.int32_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	if s := c.store(store); c.refusal == nil {
		c.refusal = s.Log(uint64(op), int32(level))
	}
	return c.end()
}
