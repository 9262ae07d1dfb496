"""Checks of a model file before skops reads it: its format, size and structure."""

from __future__ import annotations

import bz2
import json
import lzma
import math
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, NamedTuple

import numpy as np

from driftgauge.errors import DriftgaugeError

MOST_BYTES: Final = 8 << 30
"""Largest model file that is read, and most bytes of its unpacked members."""
MOST_SCHEMA_BYTES: Final = 256 << 20
"""Largest description of a model: 15,000 trees."""
MOST_BRACKETS: Final = 4_000_000
MOST_DEPTH: Final = 100
"""Deepest nesting of a model's parts; a forest in a pipeline has 17 levels."""
MOST_RATIO: Final = 50
"""Largest compression ratio of content with more than `ANY_RATIO_BYTES` bytes."""
ANY_RATIO_BYTES: Final = 256 << 20
_MOST_DIRECTORY_BYTES: Final = 16 << 20
_HEAD_BYTES: Final = 1 << 20
"""Bytes that identify a file's format: bzip2 unpacks nothing before its first 900 kB."""
_PLAIN_BYTES: Final = 4096
_SCHEMA: Final = "schema.json"
MAIN: Final = ("__main__", "__mp_main__")
"""Python's names for the module that was run: a different one in every process."""
_END: Final = struct.Struct("<4s4H2LH")
_END64_LOCATOR: Final = struct.Struct("<4sLQL")
_END64: Final = struct.Struct("<4sQ2H2L4Q")


class UnreadableModel(DriftgaugeError):
    """A file that cannot be read safely as a model; the message completes a sentence."""


class ImportedName(NamedTuple):
    """A class or function that a model file names."""

    module: str
    name: str


def unimportable(kind: ImportedName) -> str:
    """Return why a server cannot import a class or function, and what to do."""
    what = "a lambda" if kind.name == "<lambda>" else kind.name
    where = "the notebook or script that was run" if kind.module in MAIN else kind.module
    return (
        f"it holds {what} of {where} ({kind.module}), which a server cannot import. Put it at the top level of a "
        "module that the server can import, under a name of its own, and fit the estimator with it from there"
    )


# ---------------------------------------------------------------- format


def is_pickle(head: bytes) -> bool:
    """Return whether a file begins like a pickle; nothing is executed."""
    plain = _inflated(head) or head
    if plain[:1] == b"\x80" and plain[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}:
        return True
    return plain[:1] in {b"c", b"(", b"]", b"}", b"I", b"L", b"V", b"K"} and _has_opcodes(plain[:_PLAIN_BYTES])


def _has_opcodes(text: bytes) -> bool:
    """Return whether a text consists of instructions of the oldest pickle protocols."""
    count = 0
    try:
        for _, _, _ in pickletools.genops(text):
            count += 1
    except Exception:  # the text ends, or is not a pickle
        return count >= 8
    return count >= 2  # complete


def _inflated(head: bytes) -> bytes:
    """Return the unpacked head of a file that joblib compressed; empty if it is not compressed."""
    openers: tuple[tuple[bytes, Callable[[], bytes]], ...] = (
        (b"\x1f\x8b", lambda: zlib.decompressobj(47).decompress(head, _PLAIN_BYTES)),
        (b"\x78", lambda: zlib.decompressobj().decompress(head, _PLAIN_BYTES)),
        (b"BZh", lambda: bz2.BZ2Decompressor().decompress(head, _PLAIN_BYTES)),
        (b"\xfd7zXZ", lambda: lzma.LZMADecompressor(memlimit=1 << 28).decompress(head, _PLAIN_BYTES)),
        (b"]\x00\x00", lambda: lzma.LZMADecompressor(memlimit=1 << 28).decompress(head, _PLAIN_BYTES)),
        (b"\x04\x22M\x18", lambda: b"\x80\x04"),  # lz4: the standard library cannot read it, and only joblib writes it
    )
    for magic, opened in openers:
        if head.startswith(magic):
            with suppress(Exception):
                return opened()
    return b""


# ---------------------------------------------------------------- size


def inspect(file: BinaryIO, path: Path) -> None:
    """Raise UnreadableModel unless skops can read a file with no more memory than its content."""
    head = file.read(_HEAD_BYTES)
    if is_pickle(head):
        target = path.with_suffix(".skops") if path.suffix != ".skops" else path.with_name("converted.skops")
        raise UnreadableModel(
            "it is a pickle, as joblib.dump and pickle.dump write it. Loading a pickle can run any code, so only "
            "skops files are read. If you trust it, convert it in Python: "
            f'import joblib, skops.io; skops.io.dump(joblib.load("{path}"), "{target}")'
        )
    if not head.startswith(b"PK"):
        raise UnreadableModel("it is not a skops file: save the estimator with skops.io.dump(estimator, file)")
    size = file.seek(0, 2)
    _check_directory(file, size)
    with zipfile.ZipFile(file) as archive:
        members = _members(archive)
        _check_sizes(members.values(), size)
        if _SCHEMA not in members:
            raise UnreadableModel("it is a zip file without schema.json: save the estimator with skops.io.dump")
        for name, member in members.items():
            if name.endswith((".npy", ".npz")):
                with archive.open(name) as content:
                    _check_array_file(name, content, member.file_size)
        _check_schema(_parsed(archive, members[_SCHEMA]), members)
    file.seek(0)


def _check_directory(file: BinaryIO, size: int) -> None:
    """Raise UnreadableModel if the zip directory is too large to be read."""
    file.seek(max(0, size - _END.size - 0xFFFF))
    tail = file.read()
    index = tail.rfind(b"PK\x05\x06")
    if index < 0 or len(tail) - index < _END.size:
        raise UnreadableModel("it is truncated: copy it again, or save the estimator again")
    length = _END.unpack_from(tail, index)[5]
    locator = index - _END64_LOCATOR.size
    if locator >= 0 and tail[locator : locator + 4] == b"PK\x06\x07":
        file.seek(_END64_LOCATOR.unpack_from(tail, locator)[2])
        record = file.read(_END64.size)
        if len(record) < _END64.size or record[:4] != b"PK\x06\x06":
            raise UnreadableModel("it is damaged: copy it again, or save the estimator again")
        length = _END64.unpack(record)[8]
    if length > _MOST_DIRECTORY_BYTES:
        raise UnreadableModel("it has more members than a model has")


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members = {member.filename: member for member in archive.infolist()}
    if len(members) < len(archive.infolist()):
        raise UnreadableModel("two of its members have the same name")
    if any(name.startswith("/") or ".." in name or "\\" in name for name in members):
        raise UnreadableModel("a member's name is a path")
    return members


def _check_sizes(members: Iterable[zipfile.ZipInfo], packed: int) -> int:
    total = sum(member.file_size for member in members)
    if total > MOST_BYTES:
        raise UnreadableModel(f"unpacked it would have {total:,} bytes; at most {MOST_BYTES:,} are read")
    if total > max(ANY_RATIO_BYTES, MOST_RATIO * packed):
        raise UnreadableModel(
            f"unpacked it would have {total:,} bytes, {total // packed} times its size, as no model has"
        )
    return total


def _check_array_file(name: str, content: IO[bytes], size: int) -> None:
    if name.endswith(".npy"):
        _check_array(name, content, size)
        return
    if size > ANY_RATIO_BYTES:
        raise UnreadableModel(f"{name} has {size:,} bytes; a sparse matrix of at most {ANY_RATIO_BYTES:,} is read")
    with BytesIO(content.read(size)) as inner, zipfile.ZipFile(inner) as archive:
        members = _members(archive)
        _check_sizes(members.values(), size)
        for part, member in members.items():
            with archive.open(part) as array:
                _check_array(f"{name}/{part}", array, member.file_size)


def _check_array(name: str, content: IO[bytes], size: int) -> None:
    """Raise UnreadableModel unless an array's size is that of its file."""
    try:
        version = np.lib.format.read_magic(content)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(content)
    except Exception as error:
        raise UnreadableModel(f"its array {name} is damaged") from error
    if kind.hasobject:
        raise UnreadableModel(f"its array {name} holds Python objects")
    cells = math.prod(shape)
    if min(shape, default=0) < 0 or content.tell() + cells * kind.itemsize != size or cells > size:
        raise UnreadableModel(
            f"its array {name} says that it has {cells:,} values; its {size:,} bytes do not hold them"
        )


# ---------------------------------------------------------------- structure


def _parsed(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Any:
    if member.file_size > MOST_SCHEMA_BYTES:
        raise UnreadableModel(f"its {_SCHEMA} has {member.file_size:,} bytes; at most {MOST_SCHEMA_BYTES:,} are read")
    text = archive.read(member)
    if text.count(b"{") + text.count(b"[") > MOST_BRACKETS:
        raise UnreadableModel(f"its {_SCHEMA} describes more parts than a model has")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise UnreadableModel("its parts are nested too deeply") from error
    except ValueError as error:
        raise UnreadableModel(f"its {_SCHEMA} is not complete JSON") from error


def _check_schema(schema: Any, members: Mapping[str, zipfile.ZipInfo]) -> None:
    if not isinstance(schema, dict):
        raise UnreadableModel(f"its {_SCHEMA} does not describe an object")
    parts: dict[int, list[Mapping[str, Any]]] = {}
    nodes = _nodes(schema)
    total = sum(member.file_size for member in members.values())
    read: dict[object, int] = {}
    for index, node in enumerate(nodes):
        object_id = node.get("__id__")
        if isinstance(object_id, int):
            parts.setdefault(object_id, []).append(node)
        if "file" in node:
            member = members.get(node["file"]) if isinstance(node["file"], str) else None
            if member is None:
                raise UnreadableModel(f"a part of it is in the member {str(node['file'])[:40]}, which is not there")
            key = object_id if isinstance(object_id, int) else ("anonymous", index)
            read[key] = max(read.get(key, 0), member.file_size)
        kind = imported_name(node)
        if kind is not None and (kind.module in MAIN or "<" in kind.name):
            raise UnreadableModel(unimportable(kind))
        if kind == ImportedName("numpy", "void"):
            raise UnreadableModel("it holds a numpy.void, which can be of any size")
    if sum(read.values()) > 2 * total:
        raise UnreadableModel("it names the same members again and again")
    if _Visits(parts).of(schema) > 4 * len(nodes) + 1000:
        raise UnreadableModel("its parts name one another again and again")


def imported_name(node: Mapping[str, Any]) -> ImportedName | None:
    """Return the class or function that an object's description names."""
    module, name = node.get("__module__"), node.get("__class__")
    return ImportedName(module, name) if isinstance(module, str) and isinstance(name, str) else None


def imported_names(file: BinaryIO) -> set[ImportedName]:
    """Return the classes and functions that a trustworthy skops file names."""
    with zipfile.ZipFile(file) as archive:
        schema = _parsed(archive, archive.getinfo(_SCHEMA))
    return {kind for node in _nodes(schema) if (kind := imported_name(node)) is not None}


def _nodes(schema: Any) -> list[Mapping[str, Any]]:
    """Return the descriptions of all objects, level by level."""
    nodes: list[Mapping[str, Any]] = []
    level, depth = [schema], 0
    while level:
        if depth > MOST_DEPTH:
            raise UnreadableModel("its parts are nested too deeply")
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                if isinstance(value.get("__loader__"), str):
                    nodes.append(value)
                inner += value.values()
            else:
                inner += value
        level = [value for value in inner if isinstance(value, dict | list)]
        depth += 1
    return nodes


class _Visits:
    """Counts the objects that skops visits: it follows each mention of a known one again."""

    def __init__(self, parts: Mapping[int, list[Mapping[str, Any]]]) -> None:
        self._parts = parts
        self._known: dict[int, int] = {}
        self._open: set[int] = set()

    def of(self, value: Any) -> int:
        """Return the visits that a value takes; UnreadableModel if it contains itself."""
        if isinstance(value, list):
            return sum(map(self.of, value))
        if not isinstance(value, dict):
            return 0
        object_id = value.get("__id__")
        if isinstance(value.get("__loader__"), str) and isinstance(object_id, int):
            return self._of_part(object_id)
        return 1 + sum(map(self.of, value.values()))

    def _of_part(self, object_id: int) -> int:
        if object_id in self._open:
            raise UnreadableModel("a part of it contains itself")
        if object_id not in self._known:
            self._open.add(object_id)
            self._known[object_id] = max(1 + sum(map(self.of, part.values())) for part in self._parts[object_id])
            self._open.discard(object_id)
        return self._known[object_id]
