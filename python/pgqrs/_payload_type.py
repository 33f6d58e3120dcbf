"""Typed payloads: objects of classes to JSON. What makes such objects of JSON is in _decoder.

Three kinds of objects are produced as the JSON of their fields: dataclasses, msgspec
structs and pydantic models. pydantic is asked only where the program has imported it.
"""

from __future__ import annotations

import sys
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any

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
    import msgspec  # not above: see _decoder

    if (pydantic := sys.modules.get("pydantic")) and isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, msgspec.Struct) or (is_dataclass(value) and not isinstance(value, type)):
        return msgspec.to_builtins(value, str_keys=True, enc_hook=plain)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
