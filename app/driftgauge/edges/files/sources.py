"""Finds the files to read: paths, folders and globs here, or prefixes of object storage, in the order of their time."""

from __future__ import annotations

import glob
import importlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from driftgauge.common.addresses import hide_password, without_password
from driftgauge.errors import IngestError, SettingsError

_HOUR: Final = re.compile(r"/(\d{4})/(\d{2})/(\d{2})/(\d{2})/")
"""The folders in which SageMaker keeps the captures of an hour: {prefix}/{endpoint}/{variant}/yyyy/mm/dd/hh/."""
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://")
_LOCAL: Final = "file://"


@dataclass(frozen=True)
class SourceFile:
    """A file as it was found."""

    path: str
    """Its path or address."""
    identity: str
    """Tells it from other files, also once it is renamed."""
    size: int
    """Bytes, as they are stored."""
    modified: float
    """Seconds since 1970."""
    open: Callable[[], BinaryIO]
    """Opens it for reading; OSError if it is gone or cannot be read."""
    version: str = ""
    """Differs once it was written to."""
    is_complete: bool = False
    """Whether nothing more is written to it: it is an object."""
    is_renamed: bool = False
    """Whether it was read under another name before."""

    @property
    def order(self) -> tuple[float, str, str]:
        """Sorts files by the hour of their folder, otherwise by the time of their last change; then by name."""
        found = _HOUR.search(self.path)
        at = self.modified
        if found:
            with suppress(ValueError):  # not a date after all
                at = datetime.strptime("/".join(found.groups()), "%Y/%m/%d/%H").replace(tzinfo=UTC).timestamp()
        return at, self.path.rpartition("/")[2], self.path


class Source(Protocol):
    """Some of the files to read."""

    @property
    def label(self) -> str:
        """What messages call it."""

    def files(self) -> Sequence[SourceFile]:
        """Return those that there are now; IngestError if they cannot be listed."""

    def renamed(self, identities: Sequence[str]) -> Sequence[SourceFile]:
        """Return files that were read before and have another name now, given their identities."""


def is_remote(text: str) -> bool:
    """Return whether a text is the address of an object storage."""
    return _SCHEME.match(text) is not None and not text.startswith(_LOCAL)


def source_of(text: str) -> Source:
    """Return the source of a path, a folder, a glob or an address; SettingsError if its library is missing."""
    return RemoteFiles(text) if is_remote(text) else LocalFiles(text.removeprefix(_LOCAL))


def storage_of(address: str) -> tuple[Any, str]:
    """Return the storage of an address, and the path in it; SettingsError if its library is missing."""
    scheme, shown = address.partition("://")[0], without_password(address)
    try:
        fsspec: Any = importlib.import_module("fsspec")
        system, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise SettingsError(
            f"{shown}: the library for {scheme}:// is missing: pip install 'driftgauge[s3]' for s3, "
            "otherwise the package of fsspec for it"
        ) from error
    except ValueError as error:
        raise SettingsError(f"{shown}: {error}") from error
    return system, path


class LocalFiles:
    """Files of this machine."""

    def __init__(self, text: str) -> None:
        self.label: Final = text

    def files(self) -> Sequence[SourceFile]:
        """Return the files; see `Source`."""
        return [found for path in self._paths() if (found := _local(path)) is not None]

    def renamed(self, identities: Sequence[str]) -> Sequence[SourceFile]:
        """Return files beside those of the source; see `Source`."""
        wanted = set(identities)
        folders = sorted({Path(path).parent for path in [*self._paths(), self.label] if not Path(path).is_dir()})
        beside = (path for folder in folders for path in _shown(folder, recursive=False))
        found = (own for path in beside if (own := _local(path, is_renamed=True)) is not None)
        return [own for own in found if own.identity in wanted]

    def _paths(self) -> list[str]:
        is_name = os.path.exists(self.label) or not glob.has_magic(self.label)
        found = [self.label] if is_name else sorted(glob.glob(self.label, recursive=True))
        below = (_shown(Path(own), recursive=True) if os.path.isdir(own) else [own] for own in found)
        return list(dict.fromkeys(path for paths in below for path in paths))


class RemoteFiles:
    """Objects of a storage that fsspec knows."""

    def __init__(self, address: str) -> None:
        self.label: Final = without_password(address)
        self._address: Final = address
        self._scheme: Final = address.partition("://")[0]
        self._system, self._path = storage_of(address)

    def files(self) -> Sequence[SourceFile]:
        """Return the objects; see `Source`."""
        try:
            self._system.invalidate_cache()
            found = self._system.glob if glob.has_magic(self._path) else self._system.find
            listed: dict[str, dict[str, Any]] = found(self._path, detail=True)
        except FileNotFoundError:
            return []
        except Exception as error:  # each storage has errors of its own
            raise IngestError(f"cannot list {self.label}: {hide_password(error, self._address)}") from error
        return [self._object(path, own) for path, own in listed.items() if own.get("type") == "file" and own["size"]]

    def renamed(self, identities: Sequence[str]) -> Sequence[SourceFile]:
        """Return none: objects keep their names."""
        return []

    def _object(self, path: str, own: dict[str, Any]) -> SourceFile:
        address = f"{self._scheme}://{path}"
        modified = own.get("LastModified") or own.get("mtime") or own.get("created") or 0.0
        at = modified.timestamp() if isinstance(modified, datetime) else float(modified)
        version = str(own.get("ETag") or own.get("etag") or at)
        opened = partial(self._system.open, path, "rb")
        return SourceFile(address, address, int(own["size"]), at, opened, version, is_complete=True)


def _local(path: str, *, is_renamed: bool = False) -> SourceFile | None:
    """Return a file; None if it is none, or gone by now."""
    own = Path(path)
    try:
        status = own.stat()
    except OSError:
        return None
    if not own.is_file():
        return None
    identity, version = f"inode:{status.st_ino}", str(status.st_mtime_ns)
    opened = partial(_opened, path)
    return SourceFile(path, identity, status.st_size, status.st_mtime, opened, version, is_renamed=is_renamed)


def _opened(path: str) -> BinaryIO:
    return open(path, "rb")


def _shown(folder: Path, *, recursive: bool) -> list[str]:
    """Return the files of a folder that are not hidden."""

    def found() -> Iterator[str]:
        for path in folder.rglob("*") if recursive else folder.glob("*"):
            if not any(part.startswith(".") for part in path.relative_to(folder).parts) and path.is_file():
                yield str(path)

    return sorted(found())
