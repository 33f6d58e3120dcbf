package main

// #include "face.h"
import "C"

import (
	"unsafe"

	"github.com/pgqrs/pgqrs/capi/internal/bridge"
	pgqrs "github.com/pgqrs/pgqrs/core"
)

// This file compares what package bridge knows of pgqrs.h with what the C compiler
// makes of it. Each line indexes an array of one element by a difference: another
// one than 0 does not compile.

// Sizes and offsets of the records.
var _ = []struct{}{
	[1]struct{}{}[unsafe.Sizeof(C.pgqrs_completion{})-unsafe.Sizeof(bridge.Completion{})],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_completion{}.op)-unsafe.Offsetof(bridge.Completion{}.Op)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_completion{}.status)-unsafe.Offsetof(bridge.Completion{}.Status)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_completion{}.kind)-unsafe.Offsetof(bridge.Completion{}.Kind)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_completion{}.flags)-unsafe.Offsetof(bridge.Completion{}.Flags)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_completion{}.value)-unsafe.Offsetof(bridge.Completion{}.Value)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_completion{}.data)-unsafe.Offsetof(bridge.Completion{}.Data)],
	[1]struct{}{}[unsafe.Sizeof(C.pgqrs_error{})-unsafe.Sizeof(bridge.ErrorHeader{})],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_error{}.status)-unsafe.Offsetof(bridge.ErrorHeader{}.Status)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_error{}.flags)-unsafe.Offsetof(bridge.ErrorHeader{}.Flags)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_error{}.index)-unsafe.Offsetof(bridge.ErrorHeader{}.Index)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_error{}.retry_after_us)-unsafe.Offsetof(bridge.ErrorHeader{}.AfterUs)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_error{}.sqlstate)-unsafe.Offsetof(bridge.ErrorHeader{}.SQLState)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_error{}.length)-unsafe.Offsetof(bridge.ErrorHeader{}.Length)],
	[1]struct{}{}[unsafe.Sizeof(C.pgqrs_message{})-unsafe.Sizeof(bridge.MessageHeader{})],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_message{}.id)-unsafe.Offsetof(bridge.MessageHeader{}.ID)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_message{}.enqueued_at_us)-unsafe.Offsetof(bridge.MessageHeader{}.EnqueuedAtMicros)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_message{}.producer_worker_id)-unsafe.Offsetof(bridge.MessageHeader{}.ProducerWorkerID)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_message{}.read_ct)-unsafe.Offsetof(bridge.MessageHeader{}.ReadCount)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_message{}.payload_offset)-unsafe.Offsetof(bridge.MessageHeader{}.PayloadOffset)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_message{}.payload_length)-unsafe.Offsetof(bridge.MessageHeader{}.PayloadLength)],
	[1]struct{}{}[unsafe.Sizeof(C.pgqrs_batch{})-unsafe.Sizeof(bridge.BatchHeader{})],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_batch{}.size)-unsafe.Offsetof(bridge.BatchHeader{}.Size)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_batch{}.queue_id)-unsafe.Offsetof(bridge.BatchHeader{}.QueueID)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_batch{}.lease)-unsafe.Offsetof(bridge.BatchHeader{}.Lease)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_batch{}.dequeued_at_us)-unsafe.Offsetof(bridge.BatchHeader{}.DequeuedAtMicros)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_batch{}.consumer_worker_id)-unsafe.Offsetof(bridge.BatchHeader{}.ConsumerWorkerID)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_batch{}.count)-unsafe.Offsetof(bridge.BatchHeader{}.Count)],
	[1]struct{}{}[unsafe.Sizeof(C.pgqrs_consume_options{})-unsafe.Sizeof(bridge.ConsumeOptions{})],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_consume_options{}.batch_size)-unsafe.Offsetof(bridge.ConsumeOptions{}.BatchSize)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_consume_options{}.keep_delivered)-unsafe.Offsetof(bridge.ConsumeOptions{}.KeepDelivered)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_consume_options{}.vt_us)-unsafe.Offsetof(bridge.ConsumeOptions{}.VTMicros)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_consume_options{}.max_lease_us)-unsafe.Offsetof(bridge.ConsumeOptions{}.MaxLeaseMicros)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_consume_options{}.until_empty)-unsafe.Offsetof(bridge.ConsumeOptions{}.UntilEmpty)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_consume_options{}.reserved)-unsafe.Offsetof(bridge.ConsumeOptions{}.Reserved)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_consume_options{}.worker)-unsafe.Offsetof(bridge.ConsumeOptions{}.Worker)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_batch{}.delivered)-unsafe.Offsetof(pgqrs.BatchControl{}.Delivered)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_batch{}.vt_us)-unsafe.Offsetof(pgqrs.BatchControl{}.VTMicros)],
	[1]struct{}{}[unsafe.Offsetof(C.pgqrs_batch{}.deliver_by_ns)-unsafe.Offsetof(pgqrs.BatchControl{}.DeliverByNanos)],
}

// Values of the constants.
var _ = []struct{}{
	[1]struct{}{}[C.PGQRS_OK-C.int(bridge.StatusOK)],
	[1]struct{}{}[C.PGQRS_FULL-C.int(bridge.StatusFull)],
	[1]struct{}{}[C.PGQRS_BAD_HANDLE-C.int(bridge.StatusBadHandle)],
	[1]struct{}{}[C.PGQRS_BAD_ARGUMENT-C.int(bridge.StatusBadArgument)],
	[1]struct{}{}[C.PGQRS_FORKED-C.int(bridge.StatusForked)],
	[1]struct{}{}[C.PGQRS_POISONED-C.int(bridge.StatusPoisoned)],
	[1]struct{}{}[C.PGQRS_NO_MEMORY-C.int(bridge.StatusNoMemory)],
	[1]struct{}{}[C.PGQRS_CANCELLED-C.int(bridge.StatusCancelled)],
	[1]struct{}{}[C.PGQRS_CLOSED-C.int(bridge.StatusClosed)],
	[1]struct{}{}[C.PGQRS_CONNECTION-C.int(bridge.StatusConnection)],
	[1]struct{}{}[C.PGQRS_CONFIG-C.int(bridge.StatusConfig)],
	[1]struct{}{}[C.PGQRS_INVALID-C.int(bridge.StatusInvalid)],
	[1]struct{}{}[C.PGQRS_SERIALIZATION-C.int(bridge.StatusSerialization)],
	[1]struct{}{}[C.PGQRS_QUEUE_NOT_FOUND-C.int(bridge.StatusQueueNotFound)],
	[1]struct{}{}[C.PGQRS_QUEUE_EXISTS-C.int(bridge.StatusQueueExists)],
	[1]struct{}{}[C.PGQRS_MESSAGE_NOT_FOUND-C.int(bridge.StatusMessageNotFound)],
	[1]struct{}{}[C.PGQRS_WORKER_NOT_FOUND-C.int(bridge.StatusWorkerNotFound)],
	[1]struct{}{}[C.PGQRS_RATE_LIMITED-C.int(bridge.StatusRateLimited)],
	[1]struct{}{}[C.PGQRS_STATE_TRANSITION-C.int(bridge.StatusStateTransition)],
	[1]struct{}{}[C.PGQRS_TIMEOUT-C.int(bridge.StatusTimeout)],
	[1]struct{}{}[C.PGQRS_INTERNAL-C.int(bridge.StatusInternal)],
	[1]struct{}{}[C.PGQRS_RESULT_NONE-C.int(bridge.ResultNone)],
	[1]struct{}{}[C.PGQRS_RESULT_ERROR-C.int(bridge.ResultError)],
	[1]struct{}{}[C.PGQRS_RESULT_VALUE-C.int(bridge.ResultValue)],
	[1]struct{}{}[C.PGQRS_RESULT_IDS-C.int(bridge.ResultIDs)],
	[1]struct{}{}[C.PGQRS_RESULT_ANSWERS-C.int(bridge.ResultAnswers)],
	[1]struct{}{}[C.PGQRS_RESULT_MOMENTS-C.int(bridge.ResultMoments)],
	[1]struct{}{}[C.PGQRS_RESULT_BATCH-C.int(bridge.ResultBatch)],
	[1]struct{}{}[C.PGQRS_RESULT_JSON-C.int(bridge.ResultJSON)],
	[1]struct{}{}[C.PGQRS_RING_SIZE-bridge.RingSize],
	[1]struct{}{}[C.PGQRS_DELAY_VT-bridge.DelayVT],
	[1]struct{}{}[C.PGQRS_MORE-C.int(bridge.FlagMore)],
	[1]struct{}{}[C.PGQRS_ERROR_RETRYABLE-C.int(bridge.FlagRetryable)],
	[1]struct{}{}[C.PGQRS_ERROR_MAYBE_COMMITTED-C.int(bridge.FlagMaybeCommitted)],
	[1]struct{}{}[C.PGQRS_MAX_PAYLOAD-bridge.MaxPayload],
	[1]struct{}{}[C.PGQRS_MAX_COUNT-bridge.MaxCount],
	[1]struct{}{}[C.PGQRS_LOG_DEBUG-C.int(bridge.LogDebug)],
	[1]struct{}{}[C.PGQRS_LOG_INFO-C.int(bridge.LogInfo)],
	[1]struct{}{}[C.PGQRS_LOG_WARNING-C.int(bridge.LogWarning)],
	[1]struct{}{}[C.PGQRS_LOG_ERROR-C.int(bridge.LogError)],
	[1]struct{}{}[C.PGQRS_PRODUCER-C.int(pgqrs.RoleProducer)],
	[1]struct{}{}[C.PGQRS_CONSUMER-C.int(pgqrs.RoleConsumer)],
}
