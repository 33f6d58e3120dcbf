"""Typed payloads: objects of classes to JSON, and JSON to what payload_type= names.

Three kinds of objects are produced as the JSON of their fields: dataclasses, msgspec
structs and pydantic models. pydantic is asked only where the program has imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec

from ._errors import SerializationError, ValidationError

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    Payload = TypeVar("Payload", default=Any)
    """The type of a payload; of a bare Message any."""
else:
    from typing import TypeVar

    Payload = TypeVar("Payload")


def plain(value: Any) -> Any:
    """The JSON of an object, as dicts, lists and so on; TypeError: it is none of the three
    kinds, or it holds what has no JSON."""
    if (pydantic := sys.modules.get("pydantic")) and isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, msgspec.Struct) or (is_dataclass(value) and not isinstance(value, type)):
        return msgspec.to_builtins(value, str_keys=True, enc_hook=plain)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def reader(payload_type: Any) -> Callable[[bytes], Any]:
    """What makes an object of that type of a JSON text; None: dicts, lists and so on."""
    from ._codec import decode

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
