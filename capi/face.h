/*
 * face.h - between face.c, which is the exported C, and the Go behind it.
 *
 * cgo cannot write "const" in the prototypes that it generates; these names can.
 */
#ifndef PGQRS_FACE_H
#define PGQRS_FACE_H

#include "pgqrs.h"

typedef const char const_char;
typedef const int64_t const_int64;
typedef const uint64_t const_uint64;
typedef const pgqrs_consume_options const_consume_options;

/* Keeps a copy of the text for pgqrs_last_error in this thread. */
void face_set_last_error(const char *text, size_t length);

/* malloc and free; cgo's own C.malloc ends the process where there is no memory. */
void *face_allocate(size_t size);
void face_free(void *data);

#endif
