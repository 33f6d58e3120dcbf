"""The constants of `pgqrs.h`, under the names of the header without PGQRS_."""

from __future__ import annotations

from typing import Final

from ._cffi import ffi


def _constant(name: str) -> int:
    value: int = ffi.integer_const(f"PGQRS_{name}")
    return value


ABI_VERSION: Final = _constant("ABI_VERSION")
RING_SIZE: Final = _constant("RING_SIZE")

OK: Final = _constant("OK")
FULL: Final = _constant("FULL")
BAD_HANDLE: Final = _constant("BAD_HANDLE")
BAD_ARGUMENT: Final = _constant("BAD_ARGUMENT")
FORKED: Final = _constant("FORKED")
POISONED: Final = _constant("POISONED")
NO_MEMORY: Final = _constant("NO_MEMORY")
CANCELLED: Final = _constant("CANCELLED")
CLOSED: Final = _constant("CLOSED")
CONNECTION: Final = _constant("CONNECTION")
CONFIG: Final = _constant("CONFIG")
INVALID: Final = _constant("INVALID")
SERIALIZATION: Final = _constant("SERIALIZATION")
QUEUE_NOT_FOUND: Final = _constant("QUEUE_NOT_FOUND")
QUEUE_EXISTS: Final = _constant("QUEUE_EXISTS")
MESSAGE_NOT_FOUND: Final = _constant("MESSAGE_NOT_FOUND")
WORKER_NOT_FOUND: Final = _constant("WORKER_NOT_FOUND")
RATE_LIMITED: Final = _constant("RATE_LIMITED")
STATE_TRANSITION: Final = _constant("STATE_TRANSITION")
TIMEOUT: Final = _constant("TIMEOUT")
INTERNAL: Final = _constant("INTERNAL")

RESULT_NONE: Final = _constant("RESULT_NONE")
RESULT_ERROR: Final = _constant("RESULT_ERROR")
RESULT_VALUE: Final = _constant("RESULT_VALUE")
RESULT_IDS: Final = _constant("RESULT_IDS")
RESULT_ANSWERS: Final = _constant("RESULT_ANSWERS")
RESULT_MOMENTS: Final = _constant("RESULT_MOMENTS")
RESULT_BATCH: Final = _constant("RESULT_BATCH")
RESULT_JSON: Final = _constant("RESULT_JSON")

DELAY_VT: Final = _constant("DELAY_VT")

MORE: Final = _constant("MORE")
ERROR_RETRYABLE: Final = _constant("ERROR_RETRYABLE")
ERROR_MAYBE_COMMITTED: Final = _constant("ERROR_MAYBE_COMMITTED")

LOG_DEBUG: Final = _constant("LOG_DEBUG")
LOG_INFO: Final = _constant("LOG_INFO")

PRODUCER: Final = _constant("PRODUCER")
CONSUMER: Final = _constant("CONSUMER")
