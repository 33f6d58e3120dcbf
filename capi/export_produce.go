package main

// #include "face.h"
import "C"

import "github.com/pgqrs/pgqrs/capi/internal/bridge"

//export goProduce
func goProduce(store C.pgqrs_store, op C.uint64_t, queue *C.const_char, queueLength C.size_t,
	payload *C.const_char, payloadLength C.size_t, delayMicros, worker C.int64_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	s := c.store(store)
	name := c.bytes("queue", queue, queueLength, bridge.MaxText)
	text := c.bytes("payload", payload, payloadLength, bridge.MaxPayload)
	if c.refusal == nil {
		c.refusal = s.Produce(uint64(op), name, text, int64(delayMicros), int64(worker))
	}
	return c.end()
}

//export goProduceBatch
func goProduceBatch(store C.pgqrs_store, op C.uint64_t, queue *C.const_char, queueLength C.size_t,
	payloads *C.const_char, lengths *C.const_uint64, count C.uint64_t, delayMicros, worker C.int64_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	s, name, text, sizes := c.batch(store, queue, queueLength, payloads, lengths, count)
	if c.refusal == nil {
		c.refusal = s.ProduceBatch(uint64(op), name, text, sizes, int64(delayMicros), int64(worker))
	}
	return c.end()
}

//export goProduceArray
func goProduceArray(store C.pgqrs_store, op C.uint64_t, queue *C.const_char, queueLength C.size_t,
	payloads *C.const_char, payloadsLength C.size_t, delayMicros, worker C.int64_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	s := c.store(store)
	name := c.bytes("queue", queue, queueLength, bridge.MaxText)
	text := c.bytes("payloads", payloads, payloadsLength, bridge.MaxBatch)
	if c.refusal == nil {
		c.refusal = s.ProduceArray(uint64(op), name, text, int64(delayMicros), int64(worker))
	}
	return c.end()
}

//export goProduceKeyed
func goProduceKeyed(store C.pgqrs_store, op C.uint64_t, queue *C.const_char, queueLength C.size_t,
	payloads *C.const_char, lengths *C.const_uint64, keys *C.const_char, keyLengths *C.const_uint64, count C.uint64_t,
	batch C.int32_t, delayMicros, dedupMicros, worker C.int64_t) (code C.int32_t) {
	defer survive(&code)
	var c call
	s, name, text, sizes := c.batch(store, queue, queueLength, payloads, lengths, count)
	keySizes := numbers[uint64](&c, "key_lengths", keyLengths, count, false)
	keyText := c.bytes("keys", keys, C.size_t(c.sum("key_lengths", keySizes)), bridge.MaxBatch)
	if c.refusal == nil {
		c.refusal = s.ProduceKeyed(uint64(op), name, text, sizes, keyText, keySizes, int32(batch),
			int64(delayMicros), int64(dedupMicros), int64(worker))
	}
	return c.end()
}

// batch reads a queue and the payloads for it.
func (c *call) batch(store C.pgqrs_store, queue *C.const_char, queueLength C.size_t,
	payloads *C.const_char, lengths *C.const_uint64, count C.uint64_t) (s *bridge.Store, name, text []byte, sizes []uint64) {
	s = c.store(store)
	name = c.bytes("queue", queue, queueLength, bridge.MaxText)
	sizes = numbers[uint64](c, "lengths", lengths, count, false)
	text = c.bytes("payloads", payloads, C.size_t(c.sum("lengths", sizes)), bridge.MaxBatch)
	return s, name, text, sizes
}

// sum adds lengths. MaxCount of them, each at most MaxPayload,
// cannot overflow.
func (c *call) sum(name string, lengths []uint64) (total uint64) {
	for i, n := range lengths {
		if n > bridge.MaxPayload {
			c.refuse(bridge.StatusBadArgument, "%s[%d] is out of range: %d", name, i, n)
			return 0
		}
		total += n
	}
	return total
}
