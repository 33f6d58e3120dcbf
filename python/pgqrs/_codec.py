"""Payloads: Python objects to the JSON text that is stored. The way back is in _decoder.

What goes in comes out exactly: json writes integers of any size and the
shortest float that reads back as the same, and what it would write but JSON
cannot hold (NaN, infinities, lone surrogates) is refused. The rest of the rules
(NUL, depth, sizes) is checked by the library, which has them for all languages.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

from ._errors import SerializationError, ValidationError
from ._payload_type import plain

TURN = 1000
"""How many payloads of a batch are encoded without giving other tasks a turn."""

_exact = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain)


def _writer() -> Callable[[Any], str]:
    """What writes JSON like ``_exact.encode``, faster: that makes an encoder in C
    for each call, which costs more than writing a small payload with it."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # not CPython
        return _exact.encode
    # The containers that are being written: how one that contains itself is noticed.
    open_containers: dict[int, Any] = {}
    parts = make(
        open_containers,
        _exact.default,
        json.encoder.encode_basestring,
        None,
        _exact.key_separator,
        _exact.item_separator,
        False,  # sort_keys
        False,  # skipkeys
        False,  # allow_nan
    )

    def write(payload: Any) -> str:
        try:
            return "".join(parts(payload, 0))
        except Exception:
            pass
        finally:
            # An error leaves containers there, and their addresses are used again.
            # Another thread that is writing just then, or writes the same object,
            # gets an error for it, and comes to the line below too.
            if open_containers:
                open_containers.clear()
        return _exact.encode(payload)

    return write


_write = _writer()


def encode(payload: Any) -> bytes:
    """The JSON text of a payload. SerializationError says what to change."""
    try:
        return _write(payload).encode()
    except UnicodeEncodeError as error:
        reason = "it holds a lone surrogate, which is not a character: decode such text properly"
        raise _refused(reason) from error
    except RecursionError as error:
        raise _refused("it is nested too deeply") from error
    except TypeError as error:
        advice = "make it of dict, list, str, int, float, bool and None"
        raise _refused(f"{error}: {advice}") from error
    except ValueError as error:
        advice = "NaN, infinities and objects that contain themselves have no JSON"
        raise _refused(f"{error} ({advice})") from error


async def encode_all(payloads: Iterable[Any]) -> list[bytes]:
    """The JSON texts of many payloads, of a generator too. An error names the
    index of the bad one."""
    _check_iterable(payloads)
    texts: list[bytes] = []
    for payload in payloads:
        texts.append(_encode_member(payload, len(texts)))
        if not len(texts) % TURN:
            await asyncio.sleep(0)
    return texts


async def encode_array(payloads: Iterable[Any]) -> bytes:
    """The texts of encode_all() as one JSON array, which is written faster than its
    elements one by one."""
    _check_iterable(payloads)
    if not (type(payloads) is list or type(payloads) is tuple):
        # A generator may change what it gave before it gives the next.
        return b"[" + b",".join(await encode_all(payloads)) + b"]"
    texts: list[bytes] = []
    begin = 0
    while part := payloads[begin : begin + TURN]:
        if begin:
            await asyncio.sleep(0)
        try:
            texts.append(_write(part)[1:-1].encode())
        except (ValueError, TypeError, RecursionError):
            # To tell which one is bad; or one was nested as deeply as can be.
            texts += [_encode_member(payload, begin + i) for i, payload in enumerate(part)]
        begin += TURN
    return b"[" + b",".join(texts) + b"]"


def _check_iterable(payloads: object) -> None:
    if isinstance(payloads, str | bytes | dict) or not isinstance(payloads, Iterable):
        raise ValidationError(
            f"payloads must be an iterable of payloads, not one {type(payloads).__name__}"
        )


def _encode_member(payload: Any, index: int) -> bytes:
    try:
        return encode(payload)
    except SerializationError as error:
        text = str(error).replace("the payload", f"payload {index} of the batch", 1)
        raise SerializationError(text, index=index) from error.__cause__


def _refused(reason: str) -> SerializationError:
    return SerializationError(f"the payload cannot be stored as JSON: {reason}")
