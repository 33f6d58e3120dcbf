package main

// #include "face.h"
import "C"

import (
	"fmt"
	"runtime/debug"
	"unsafe"

	"github.com/pgqrs/pgqrs/capi/internal/bridge"
)

// call is one call from C: it turns arguments into Go values and keeps the first
// refusal. After one, the values are zero and must not be used.
type call struct{ refusal *bridge.Refusal }

func (c *call) refuse(status bridge.Status, format string, args ...any) {
	if c.refusal == nil {
		c.refusal = &bridge.Refusal{Status: status, Message: fmt.Sprintf(format, args...)}
	}
}

// end returns the code of the call; a refusal becomes the last error of this
// thread.
func (c *call) end() C.int32_t {
	if c.refusal == nil {
		return C.PGQRS_OK
	}
	text := c.refusal.Message
	C.face_set_last_error((*C.const_char)(unsafe.Pointer(unsafe.StringData(text))), C.size_t(len(text)))
	return C.int32_t(c.refusal.Status)
}

// survive, deferred in every exported function, keeps a panic from the program.
func survive(code *C.int32_t) {
	if value := recover(); value != nil {
		library.Panicked(value, debug.Stack())
		c := call{library.Poisoned()}
		*code = c.end()
	}
}

func (c *call) store(h C.pgqrs_store) *bridge.Store {
	s, ok := handles.find(handle(h)).(*bridge.Store)
	if !ok {
		c.refuse(bridge.StatusBadHandle, "%#x is not a store, or was freed", uint64(h))
	}
	return s
}

func (c *call) stream(h C.pgqrs_stream) openStream {
	st, ok := handles.find(handle(h)).(openStream)
	if !ok {
		c.refuse(bridge.StatusBadHandle, "%#x is not a stream, or was closed", uint64(h))
	}
	return st
}

// bytes views length bytes of the program's memory; they are valid during the
// call.
func (c *call) bytes(name string, p *C.const_char, length C.size_t, limit uint64) []byte {
	if uint64(length) > limit {
		c.refuse(bridge.StatusBadArgument, "the length of %s is out of range: %d", name, uint64(length))
	} else if p == nil && length > 0 {
		c.refuse(bridge.StatusBadArgument, "%s is NULL, with length %d", name, uint64(length))
	}
	if c.refusal != nil || length == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(p)), int(length))
}

// numbers views count numbers of the program's memory. name may be NULL where
// optional is set; then the view is nil.
func numbers[To, From any](c *call, name string, p *From, count C.uint64_t, optional bool) []To {
	if uint64(count) > bridge.MaxCount {
		c.refuse(bridge.StatusBadArgument, "count is out of range: %d", uint64(count))
	} else if p == nil && count > 0 && !optional {
		c.refuse(bridge.StatusBadArgument, "%s is NULL, with count %d", name, uint64(count))
	}
	if c.refusal != nil || p == nil {
		return nil
	}
	return unsafe.Slice((*To)(unsafe.Pointer(p)), int(count))
}
