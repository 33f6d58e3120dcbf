"""JSON texts to payloads: dicts, lists and so on, or what payload_type= names.

Imported by the first connect(), and not by `import pgqrs`: to import msgspec takes as
long as to import half of pgqrs. pydantic is asked only where the program has imported it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, cast

import msgspec

from ._errors import SerializationError, ValidationError

_read = msgspec.json.Decoder().decode


def decode(text: bytes) -> Any:
    """The payload of a JSON text."""
    try:
        return _read(text)
    except msgspec.DecodeError:
        # Clients in SQL may store what msgspec refuses and json reads, as 1e999.
        return json.loads(text)


def reader(payload_type: Any) -> Callable[[bytes], Any]:
    """What makes an object of that type of a JSON text; None: dicts, lists and so on."""
    if payload_type is None:
        return decode
    read = _pydantic(payload_type) or _msgspec(payload_type)
    name = getattr(payload_type, "__name__", None) or repr(payload_type)

    def read_as(text: bytes) -> Any:
        try:
            return read(text)
        except (msgspec.MsgspecError, ValueError) as error:
            raise SerializationError(f"the payload does not fit {name}: {error}") from error

    return read_as


def _msgspec(payload_type: Any) -> Callable[[bytes], Any]:
    try:
        return msgspec.json.Decoder(payload_type, dec_hook=_nested).decode
    except (TypeError, NameError) as error:  # NameError: of an annotation
        raise ValidationError(
            "payload_type must be a dataclass, a msgspec struct, a pydantic model or a type made "
            f"of those: {error}"
        ) from error


def _nested(kind: Any, value: Any) -> Any:
    """A model inside of what msgspec reads."""
    if (adapter := _adapter(kind)) is None:
        raise NotImplementedError
    return adapter.validate_python(value)


def _pydantic(payload_type: Any) -> Callable[[bytes], Any] | None:
    adapter = _adapter(payload_type)
    return None if adapter is None else cast("Callable[[bytes], Any]", adapter.validate_json)


def _adapter(kind: Any) -> Any:
    """pydantic's own of a model, or of a dataclass of pydantic's; else None."""
    if (pydantic := sys.modules.get("pydantic")) is None or not isinstance(kind, type):
        return None
    ours = issubclass(kind, pydantic.BaseModel) or pydantic.dataclasses.is_pydantic_dataclass(kind)
    return pydantic.TypeAdapter(kind) if ours else None
