package main

// #include "face.h"
import "C"

import "unsafe"

// cMemory is the memory of results: malloc's, so that pgqrs_free is free.
type cMemory struct{}

// Allocate returns size bytes, or nil.
func (cMemory) Allocate(size int) unsafe.Pointer { return C.face_allocate(C.size_t(size)) }

// Free gives back what Allocate returned.
func (cMemory) Free(p unsafe.Pointer) { C.face_free(p) }
