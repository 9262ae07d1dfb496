"""Files of profiles, whose names end in `.profile`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from driftgauge.common.replacing import replacing
from driftgauge.common.safe_files import read_bounded
from driftgauge.drift.profile.profile import Profile
from driftgauge.drift.profile.profile_bytes import MOST_BYTES
from driftgauge.errors import ProfileError

ENDING: Final = ".profile"


def read_profile(source: Path | str | bytes) -> Profile:
    """Read a profile from its file or its bytes; ProfileError if it cannot be used."""
    if isinstance(source, bytes):
        return Profile.from_bytes(source)
    try:
        content = read_bounded(Path(source), MOST_BYTES)
    except OSError as error:
        raise ProfileError(f"cannot read {source}: {error.strerror or error}") from error
    return profile_in(str(source), content)


def profile_in(label: str, content: bytes) -> Profile:
    """Read a profile; ProfileError with the name of its file if it cannot be used."""
    try:
        return Profile.from_bytes(content)
    except ProfileError as error:
        raise ProfileError(f"{label}: {error}") from error


def write_profile(profile: Profile, path: Path | str) -> None:
    """Write a profile to a file, whose name should end in `.profile`; ProfileError if that fails."""
    try:
        with replacing(Path(path)) as new:
            new.write_bytes(profile.to_bytes())
    except OSError as error:
        raise ProfileError(f"cannot write {path}: {error.strerror or error}") from error


def profiles_of(source: Any) -> Iterator[Profile] | None:
    """Return the profiles that a source holds; None if it is a table.

    A source is a profile, the path of one or of a folder of them, or several of these.
    """
    if isinstance(source, Profile):
        return iter([source])
    if isinstance(source, str | Path):
        files = profile_paths(Path(source))
        return None if files is None else map(read_profile, files)
    is_many = isinstance(source, list | tuple) and len(source) > 0
    return _each(source) if is_many and all(profiles_of(own) is not None for own in source) else None


def profile_paths(path: Path) -> list[Path] | None:
    """Return the files of profiles at a path: itself, or those in a folder that has some; None for a table."""
    if path.is_dir():
        return sorted(path.rglob(f"*{ENDING}")) or None
    return [path] if path.name.endswith(ENDING) else None


def _each(sources: Iterable[Any]) -> Iterator[Profile]:
    for source in sources:
        yield from profiles_of(source) or ()
