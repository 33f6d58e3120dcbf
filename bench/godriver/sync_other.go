//go:build !linux

package main

import "os"

// syncData is the nearest to fdatasync that every system has.
func syncData(f *os.File) error { return f.Sync() }
