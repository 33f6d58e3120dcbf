"""The layer over the C library: does it fit the header, and what does it say
when the library does not fit."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

import pgqrs
from pgqrs._native import LibraryError, _batch, _build, _library, _status, _store
from pgqrs._native._cffi import ffi

HEADER = Path(__file__).parents[3] / "capi" / "pgqrs.h"


def test_every_function_of_the_header_is_looked_for_when_the_library_is_loaded():
    declared = re.findall(
        r"^[a-z].*?\bpgqrs_(\w+)\(", _build.declarations(HEADER.read_text()), re.MULTILINE
    )
    assert sorted(declared) == sorted(_library.FUNCTIONS)


def test_every_status_and_kind_of_result_of_the_header_is_known():
    defined = dict(
        re.findall(r"^#define PGQRS_(\w+) \(?(-?\d+)u?\)?", HEADER.read_text(), re.MULTILINE)
    )
    header = {name: int(value) for name, value in defined.items()}
    constants = {name: value for name, value in vars(_status).items() if name.isupper()}
    assert constants.items() <= header.items()
    unknown = header.keys() - constants.keys()
    assert all(header[name] > 0 and not name.startswith("RESULT_") for name in unknown), unknown


def test_the_struct_formats_have_the_layout_of_the_header():
    assert _store.COMPLETION.size == ffi.sizeof("pgqrs_completion")
    assert _batch.MESSAGE.size == ffi.sizeof("pgqrs_message")
    assert _batch.FIXED.size == ffi.offsetof("pgqrs_batch", "messages")
    assert ffi.offsetof("pgqrs_batch", "size") == _batch.CONTROL_SIZE
    fields = [name for name, _ in ffi.typeof("pgqrs_completion").fields]
    assert fields == ["op", "status", "kind", "flags", "value", "data"]
    fields = [name for name, _ in ffi.typeof("pgqrs_message").fields]
    assert fields == [
        "id",
        "enqueued_at_us",
        "producer_worker_id",
        "read_ct",
        "payload_offset",
        "payload_length",
    ]
    fields = [name for name, _ in ffi.typeof("pgqrs_batch").fields]
    assert fields == [
        "delivered",
        "vt_us",
        "deliver_by_ns",
        "size",
        "queue_id",
        "lease",
        "dequeued_at_us",
        "consumer_worker_id",
        "count",
        "messages",
    ]


def test_the_generated_module_is_up_to_date(tmp_path):
    _build.generate(HEADER, tmp_path / "_cffi.py")
    made = runpy.run_path(str(tmp_path / "_cffi.py"))["ffi"]
    for name in ("pgqrs_completion", "pgqrs_batch", "pgqrs_error", "pgqrs_consume_options"):
        assert made.sizeof(name) == ffi.sizeof(name)
    assert made.list_types() == ffi.list_types()


def test_a_header_without_marks_is_refused():
    with pytest.raises(ValueError, match="<cdef>"):
        _build.declarations("int x;")


@pytest.fixture
def not_loaded(monkeypatch):
    monkeypatch.setattr(_library, "lib", None)


def test_a_missing_library_is_a_clear_error(not_loaded, tmp_path):
    with pytest.raises(LibraryError, match=r"missing.*nowhere\.so.*pip install"):
        _library.load(tmp_path / "nowhere.so")


def test_a_file_that_is_no_library_is_a_clear_error(not_loaded, tmp_path):
    (tmp_path / "libpgqrs.so").write_text("not a library")
    with pytest.raises(LibraryError, match="cannot be loaded"):
        _library.load(tmp_path / "libpgqrs.so")


class Incomplete:
    """A library of another version, or with symbols missing."""

    def __init__(self, version: int, *missing: str) -> None:
        self._version = version
        self._missing = {f"pgqrs_{name}" for name in missing}

    def __getattr__(self, name: str):
        if name in self._missing:
            raise AttributeError(name)
        return lambda: self._version


def test_missing_symbols_are_all_named():
    with pytest.raises(LibraryError, match="pgqrs_drain, pgqrs_wait"):
        _library.check(Incomplete(_status.ABI_VERSION, "drain", "wait"), Path("x.so"))


def test_another_version_of_the_interface_is_refused():
    with pytest.raises(LibraryError, match=rf"version {_status.ABI_VERSION + 1} .*needs version"):
        _library.check(Incomplete(_status.ABI_VERSION + 1), Path("x.so"))
    _library.check(Incomplete(_status.ABI_VERSION), Path("x.so"))


@pytest.mark.loops("plain")
async def test_connect_says_that_the_library_is_missing(not_loaded, monkeypatch, memory_dsn):
    monkeypatch.setattr(_library, "NAME", "nowhere.so")
    with pytest.raises(pgqrs.ConfigError, match="missing"):
        await pgqrs.connect(memory_dsn)
