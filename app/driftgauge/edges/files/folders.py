"""Folders to write to: here, or prefixes of object storage."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from driftgauge.common.addresses import hide_password, without_password
from driftgauge.common.replacing import replacing
from driftgauge.edges.files.sources import SourceFile, is_remote, source_of, storage_of
from driftgauge.errors import IngestError


class Folder(Protocol):
    """Where files are written."""

    @property
    def label(self) -> str:
        """What messages call it."""

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None if there is none, IngestError if it cannot be read."""

    def write(self, name: str, content: bytes) -> str:
        """Write a file in place of an earlier one and return its path or address; IngestError if that fails."""


def folder_of(text: str) -> Folder:
    """Return the folder of a path or an address; SettingsError if its library is missing."""
    return RemoteFolder(text) if is_remote(text) else LocalFolder(Path(text.removeprefix("file://")))


def read_file(text: str, most_bytes: int) -> bytes:
    """Return the content of one file, here or in object storage; IngestError if it cannot be read."""
    found = list(source_of(text).files())
    if len(found) != 1:
        what = "there is no such file" if not found else f"{len(found):,} files have this name"
        raise IngestError(f"cannot read {without_password(text)}: {what}")
    return read_source(found[0], most_bytes)


def read_source(file: SourceFile, most_bytes: int) -> bytes:
    """Return the content of a file that was found; IngestError if it cannot be read."""
    if file.size > most_bytes:
        raise IngestError(f"cannot read {file.path}: it has {file.size:,} bytes, at most {most_bytes:,} are read")
    try:
        with file.open() as opened:
            return opened.read(most_bytes + 1)
    except Exception as error:  # each storage has errors of its own
        raise IngestError(f"cannot read {file.path}: {error}") from error


def write_file(text: str, content: bytes) -> str:
    """Write one file, here or in object storage, and return its path or address; IngestError if that fails."""
    scheme, separator, path = text.partition("://") if is_remote(text) else ("", "", text.removeprefix("file://"))
    parent, _, name = path.rpartition("/")
    if not name or (separator and not parent):
        raise IngestError(
            f"cannot write {without_password(text)}: give a bucket or folder, and the name of a file in it"
        )
    folder = f"{scheme}{separator}{parent}" if parent else "/" if path.startswith("/") else "."
    return folder_of(folder).write(name, content)


class LocalFolder:
    """A folder of this machine, made once it is written to."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self.label: Final = str(path)

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; see `Folder`."""
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise IngestError(f"cannot read {self._path / name}: {error.strerror}") from error

    def write(self, name: str, content: bytes) -> str:
        """Write a file; whoever reads meanwhile sees the earlier one. See `Folder`."""
        path = self._path / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as new:
                new.write_bytes(content)
        except OSError as error:
            raise IngestError(f"cannot write {path}: {error.strerror}") from error
        return str(path)


class RemoteFolder:
    """A prefix of an object storage that fsspec knows."""

    def __init__(self, address: str) -> None:
        self.label: Final = without_password(address.rstrip("/"))
        self._address: Final = address
        self._system, self._path = storage_of(address.rstrip("/"))

    def read(self, name: str) -> bytes | None:
        """Return the content of an object; see `Folder`."""
        try:
            self._system.invalidate_cache()
            content: bytes = self._system.cat_file(f"{self._path}/{name}")
        except FileNotFoundError:
            return None
        except Exception as error:  # each storage has errors of its own
            raise IngestError(f"cannot read {self.label}/{name}: {hide_password(error, self._address)}") from error
        return content

    def write(self, name: str, content: bytes) -> str:
        """Write an object; see `Folder`."""
        try:
            self._system.pipe_file(f"{self._path}/{name}", content)
        except Exception as error:  # each storage has errors of its own
            raise IngestError(f"cannot write {self.label}/{name}: {hide_password(error, self._address)}") from error
        return f"{self.label}/{name}"
