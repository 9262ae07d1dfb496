"""Profiles that arguments of a command name: files, folders, globs, or addresses of object storage."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from driftgauge.checks.profile_files import ENDING, profile_in
from driftgauge.common.addresses import without_password
from driftgauge.drift.profile.profile import Profile
from driftgauge.drift.profile.profile_bytes import MOST_BYTES
from driftgauge.edges.files.folders import read_source
from driftgauge.edges.files.sources import SourceFile, is_remote, source_of
from driftgauge.errors import ProfileError
from driftgauge.tables.files import ending


def profile_files(arguments: Sequence[str]) -> list[SourceFile] | None:
    """Return the files of profiles, each once; None if the arguments are tables.

    ProfileError if some are profiles and some are tables, or if there is no such file.
    """
    found = [(argument, _files_of(argument)) for argument in arguments]
    tables = [argument for argument, files in found if files is None]
    if len(tables) == len(found):
        return None
    if tables:
        raise ProfileError(
            f"{without_password(tables[0])} is no profile, and others are: give tables or profiles, not both"
        )
    return list({file.path: file for _, files in found for file in files or ()}.values())


def required_profiles(arguments: Sequence[str]) -> list[SourceFile]:
    """Return the files of profiles; ProfileError if an argument names none."""
    files = profile_files(arguments)
    if files is None:
        raise ProfileError(f"{without_password(arguments[0])}: there is no profile; their names end in {ENDING}")
    return files


def read_profiles(files: Sequence[SourceFile]) -> Iterator[Profile]:
    """Read profiles one by one; ProfileError or IngestError for a file that cannot be used."""
    for file in files:
        yield profile_in(file.path, read_source(file, MOST_BYTES))


def _files_of(argument: str) -> list[SourceFile] | None:
    """Return the profiles that an argument names; None if it names a table."""
    if argument.endswith(ENDING):
        found = [file for file in source_of(argument).files() if file.path.endswith(ENDING)]
        if not found:
            raise ProfileError(f"cannot read {without_password(argument)}: there is no such file")
        return found
    is_several = Path(argument).is_dir() or glob.has_magic(argument) or is_remote(argument)
    if not is_several or ending(Path(argument)):
        return None
    files = source_of(argument).files()
    profiles = [file for file in files if file.path.endswith(ENDING)]
    tables = [file for file in files if ending(Path(file.path))]
    if profiles and tables:
        shown = without_password(argument)
        raise ProfileError(
            f"{shown} has profiles and tables, such as {tables[0].path}: name the profiles ({shown}/*{ENDING})"
        )
    return profiles or None
