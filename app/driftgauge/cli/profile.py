"""`driftgauge profile …`: count, merge and show profiles."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from driftgauge.checks.profile_files import ENDING
from driftgauge.checks.profiling import NamedProfile, ProfileOptions, Profiling
from driftgauge.checks.reference import reference_of
from driftgauge.checks.window_reader import unique
from driftgauge.cli.check_report import MOST_NAMED, named_partitions
from driftgauge.cli.column_options import chosen
from driftgauge.cli.console import console
from driftgauge.cli.derived_options import derived_options
from driftgauge.cli.engine_checks import counted_profiles, is_counted
from driftgauge.cli.help import CommandLine
from driftgauge.cli.profile_sources import read_profiles, required_profiles
from driftgauge.cli.reading import reading
from driftgauge.cli.reference_options import MODEL, TrustedTypes, loading
from driftgauge.common.comma_lists import comma_list
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.profile.profile import Profile, merge_profiles
from driftgauge.drift.profile.profile_bytes import profile_content
from driftgauge.drift.verdict.numbers import short
from driftgauge.edges.files.fetching import fetched
from driftgauge.edges.files.folders import Folder, folder_of, write_file
from driftgauge.engines.options import EngineOptions
from driftgauge.engines.source import without_password
from driftgauge.errors import ProfileError

profile_app = CommandLine("Count the rows of parts of a table, which add up exactly.")

Profiles = Annotated[
    list[str],
    typer.Argument(help="Profiles, folders or globs of them, here or s3://….", metavar="PROFILE", show_default=False),
]


@profile_app.command("build")
@derived_options
def profile_build(
    tables: Annotated[
        list[str],
        typer.Argument(
            help="Tables of any size: csv, parquet, JSON lines, folders, s3://…, or URLs of tables in databases "
            "(postgresql://HOST/DATABASE?table=NAME).",
            metavar="TABLE",
        ),
    ],
    options: ProfileOptions,
    engine: EngineOptions,
    *,
    baseline: Annotated[
        str, typer.Option(help="A baseline.json, or the folder of a bundle, here or s3://….", metavar="PATH")
    ],
    out: Annotated[
        str,
        typer.Option(
            help="File that ends in .profile, for one profile of all rows; otherwise the folder of a profile for each "
            "table or period. Here or s3://….",
            metavar="PATH",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(help="Name of the partition, by default the path of its table.", metavar="NAME"),
    ] = None,
    no_predict: Annotated[
        bool,
        typer.Option(
            "--no-predict", help="Do not use the bundle's model: predict no missing scores.", rich_help_panel=MODEL
        ),
    ] = False,
    trusted_types: TrustedTypes = None,
) -> None:
    """Count the rows of tables in the bins of a baseline.

    A profile has a few kB. `driftgauge check` compares profiles as it compares tables, and `driftgauge profile merge`
    adds them up (docs/profiles.md). A database counts its own table where it is (docs/engines.md).

    Examples:
      driftgauge profile build day.csv --baseline baseline.json --time at --every 1h --out hours/
    """
    if name is not None and (len(tables) > 1 or options.every is not None):
        raise ProfileError("--name names one partition: leave it out with several tables or --every")
    is_engine = is_counted(tables, engine)
    with fetched([baseline]) as (path,), fetched([] if is_engine else tables) as paths:
        reference = reference_of(path, loading(comma_list(trusted_types or "")), with_model=not no_predict)
        options = replace(options, ignore=tuple(chosen(options.ignore, reference.baseline.names, "--ignore")))
        errors, of_check = console(stderr=True), options.of_check
        if is_engine:
            found = counted_profiles(tables, engine, reference.baseline, of_check, name, errors)
        else:
            names = [without_password(own) for own in tables] if name is None else [name]
            found = _read(Profiling(reference.baseline, paths, of_check, reference.scorer, names), errors)
    _report(_write(found, out), errors)


def _read(profiling: Profiling, errors: Console) -> list[NamedProfile]:
    """Count tables that are read, and show how far it is."""
    _report(profiling.remarks, errors)
    with reading(errors, profiling.bytes) as progress:
        return profiling.profiles(progress)


@profile_app.command("merge")
def profile_merge(
    profiles: Profiles,
    out: Annotated[str, typer.Option(help="File to write, here or s3://….", metavar="FILE")],
    name: Annotated[
        str | None,
        typer.Option(
            help="One name for the result, instead of the names of its partitions. Whether one of these is counted "
            "twice later is then no longer noticed.",
            metavar="NAME",
        ),
    ] = None,
) -> None:
    """Add profiles up: the result is the profile of all of their rows, in any order and grouping.

    Examples:
      driftgauge profile merge hours/ --out day.profile
    """
    found = merge_profiles(read_profiles(required_profiles(profiles)))
    _report(_write([NamedProfile("", found if name is None else found.named(name))], _file(out)), console(stderr=True))


@profile_app.command("show")
def profile_show(
    profiles: Profiles,
    as_json: Annotated[bool, typer.Option("--json", help="Print the content as JSON.")] = False,
) -> None:
    """Show what profiles count; of several, what they add up to."""
    found = merge_profiles(read_profiles(required_profiles(profiles)))
    if as_json:
        sys.stdout.write(json.dumps(profile_content(found)) + "\n")
    else:
        _show(found, console())


def _report(lines: Iterable[str], errors: Console) -> None:
    for line in lines:
        errors.print(line, soft_wrap=True)


def _file(out: str) -> str:
    if not out.endswith(ENDING):
        raise ProfileError(f"--out {out}: the name of a profile ends in {ENDING}")
    return out


def _write(found: Sequence[NamedProfile], out: str) -> Iterator[str]:
    """Write profiles to one file, or each to a file of a folder; yield what was written."""
    if out.endswith(ENDING):
        whole = merge_profiles(own.profile for own in found)
        yield _wrote(write_file(out, whole.to_bytes()), whole)
        return
    folder = folder_of(out)
    names = [f"{name}{ENDING}" for name in unique([own.name.replace("/", "_").replace(":", "") for own in found])]
    for name, own in zip(names, found, strict=True):
        _require_replaceable(folder, name, own.profile)
    paths = [folder.write(name, own.profile.to_bytes()) for name, own in zip(names, found, strict=True)]
    if len(paths) > MOST_NAMED:
        yield f"wrote {len(paths):,} profiles to {folder.label}: {sum(own.profile.rows for own in found):,} rows"
        return
    yield from (_wrote(path, own.profile) for path, own in zip(paths, found, strict=True))


def _require_replaceable(folder: Folder, name: str, profile: Profile) -> None:
    """Raise ProfileError if a file has a profile of other partitions, which would be lost."""
    content = folder.read(name)
    if content is None:
        return
    try:
        earlier = Profile.from_bytes(content)
    except ProfileError:  # a damaged profile is made again
        return
    if not {*earlier.partitions} & {*profile.partitions}:
        raise ProfileError(
            f"--out: {folder.label}/{name} is the profile of {named_partitions(earlier.partitions)}, which would be "
            f"lost: write that of {named_partitions(profile.partitions)} to another folder, or to a name of its own "
            f"(--out NAME{ENDING})"
        )


def _wrote(path: str, profile: Profile) -> str:
    return f"wrote {path}: {profile.rows:,} rows"


def _show(profile: Profile, out: Console) -> None:
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("partitions", named_partitions(profile.partitions))
    facts.add_row("rows", f"{profile.rows:,}")
    if profile.has_times:
        facts.add_row("times", f"{rfc3339(profile.start)} to {rfc3339(profile.end)}")
    facts.add_row("baseline", profile.baseline_hash)
    out.print(facts)
    out.print()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("column", overflow="fold")
    for heading in ("bins", "min", "max"):
        table.add_column(heading, justify="right")
    for name, counts, lowest, highest in zip(
        profile.columns, profile.counts, profile.lowest.tolist(), profile.highest.tolist(), strict=True
    ):
        ends = ("-", "-") if lowest > highest else (short(lowest), short(highest))
        table.add_row(name, str(int((counts > 0).sum())), *ends)
    out.print(table)
    out.print("\nbins: those with rows. `driftgauge check` compares them with the baseline.")
