"""Files of object storage as files of this machine, for as long as they are read."""

from __future__ import annotations

import glob
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from driftgauge.common.addresses import without_password
from driftgauge.edges.files.sources import SourceFile, is_remote, source_of
from driftgauge.errors import DriftgaugeError, IngestError

_MAGIC: Final = re.compile(r"[*?\[]")


@contextmanager
def fetched(addresses: Sequence[str]) -> Iterator[list[str]]:
    """Yield paths that hold the content of paths and addresses; what is here already stays where it is.

    Each address becomes a file, or a folder of its files below the prefix. IngestError if one cannot be read. Errors of
    what reads them name the address.
    """
    if not any(map(is_remote, addresses)):
        yield list(addresses)
        return
    with tempfile.TemporaryDirectory(prefix="driftgauge-") as folder:
        numbered = enumerate(addresses)
        paths = [_fetch(own, Path(folder) / str(index)) if is_remote(own) else own for index, own in numbered]
        try:
            yield paths
        except DriftgaugeError as error:
            error.args = (_with_addresses(str(error), paths, addresses), *error.args[1:])
            raise


def _with_addresses(text: str, paths: Sequence[str], addresses: Sequence[str]) -> str:
    for path, address in zip(paths, addresses, strict=True):
        text = text.replace(path, without_password(address).rstrip("/")) if path != address else text
    return text


def _fetch(address: str, folder: Path) -> str:
    """Copy the objects of an address into a folder; returns the path of the one file, or the folder."""
    files = source_of(address).files()
    if not files:
        raise IngestError(f"cannot read {without_password(address)}: there is no such object")
    folder /= _name(address)
    for file in files:
        _copy(file, _place(file, address, folder))
    only = files[0]
    is_one = len(files) == 1 and only.path.endswith(_key(address))
    return str(_place(only, address, folder) if is_one else folder)


def _place(file: SourceFile, address: str, folder: Path) -> Path:
    """Return where an object is copied to; IngestError for a name that leads out of the folder."""
    to = folder / _below(file.path, address)
    if not Path(os.path.normpath(to)).is_relative_to(folder):
        raise IngestError(f"cannot read {file.path}: its name leads out of the folder that it is copied to")
    return to


def _name(address: str) -> str:
    """Return what a folder of an address's objects is called, as a table is by the name of its folder."""
    name = _key(address).rpartition("/")[2]
    return "objects" if name in ("", ".", "..") or glob.has_magic(name) else name


def _below(path: str, address: str) -> str:
    """Return where an object lies below its address, or the folder of a pattern; its name if it is the address."""
    key, own = _key(address), _key(path)
    if glob.has_magic(key):
        key = _MAGIC.split(key)[0].rpartition("/")[0]
    inside = own.removeprefix(key).strip("/")
    return inside if own.startswith(key) and inside else path.rpartition("/")[2]


def _key(address: str) -> str:
    """Return bucket and key of an address."""
    return address.partition("://")[2].strip("/")


def _copy(file: SourceFile, to: Path) -> None:
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with file.open() as source, to.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
    except Exception as error:  # each storage has errors of its own
        raise IngestError(f"cannot read {file.path}: {error}") from error
