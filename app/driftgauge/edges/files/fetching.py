"""Files of object storage as files of this machine, for as long as they are read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from driftgauge.common.addresses import without_password
from driftgauge.edges.files.sources import SourceFile, is_remote, source_of
from driftgauge.errors import IngestError


@contextmanager
def fetched(addresses: Sequence[str]) -> Iterator[list[str]]:
    """Yield paths that hold the content of paths and addresses; what is here already stays where it is.

    Each address becomes a file, or a folder of its files below the prefix. IngestError if one cannot be read.
    """
    if not any(map(is_remote, addresses)):
        yield list(addresses)
        return
    with tempfile.TemporaryDirectory(prefix="driftgauge-") as folder:
        numbered = enumerate(addresses)
        yield [_fetch(own, Path(folder) / str(index)) if is_remote(own) else own for index, own in numbered]


def _fetch(address: str, folder: Path) -> str:
    """Copy the objects of an address into a folder; returns the path of the one file, or the folder."""
    files = source_of(address).files()
    if not files:
        raise IngestError(f"cannot read {without_password(address)}: there is no such object")
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


def _below(path: str, address: str) -> str:
    """Return where an object lies below its address; its name if it is the address itself."""
    inside = _key(path).removeprefix(_key(address)).strip("/")
    return inside if _key(path).startswith(_key(address)) and inside else path.rpartition("/")[2]


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
