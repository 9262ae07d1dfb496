"""The `driftgauge` command."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app import __version__
from app.bundle_create import BaselineOptions, baseline_of, create_bundle
from app.bundles import BundleInfo, read_baseline, read_info
from app.check import CheckError
from app.check_command import check
from app.column_options import chosen, stated_kinds
from app.drift.baseline import Baseline, BaselineError, dumps
from app.drift.baseline_build import WINDOW_SIZES
from app.drift.bins import number_name
from app.drift.reasons import notes
from app.drift.statistics import ZeroBin
from app.errors import BundleError, MonitoringError
from app.model_file import TRUSTED_VARIABLE, UntrustedTypes
from app.monitoring.command import monitoring_app
from app.safe_files import read_bounded
from app.settings import SettingsError
from app.state_command import state_app
from app.state_files import Busy
from app.table_stream import TableStream, listed
from app.tables import TableError, index_columns
from app.terminal import replace_unprintable

app = typer.Typer(
    name="driftgauge",
    help="A prediction server that watches its own model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
bundle_app = typer.Typer(help="Make and look at model bundles: a model with the baseline it is watched against.")
baseline_app = typer.Typer(help="Make and look at baselines: what is kept of the reference data.")
app.command()(check)
app.add_typer(bundle_app, name="bundle", no_args_is_help=True)
app.add_typer(baseline_app, name="baseline", no_args_is_help=True)
app.add_typer(monitoring_app, name="monitoring", no_args_is_help=True)
app.add_typer(state_app, name="state", no_args_is_help=True)

EXPECTED = (BundleError, BaselineError, Busy, CheckError, MonitoringError, SettingsError, TableError)
"""Errors that say all a person needs to know."""

Kinds = Annotated[
    list[str] | None,
    typer.Option(
        help="Kind of a column where inference is wrong, e.g. zip=categorical; once for each, or several with commas.",
        metavar="COL=KIND",
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(help="A column that is no feature; once for each, or several with commas.", metavar="COL"),
]
Time = Annotated[
    str | None,
    typer.Option(
        help="Column of times. With it the baseline learns how much the data varies by itself, and how far rows "
        "depend on one another: thresholds and evidence allow for that. It is not a feature."
    ),
]
ByHour = Annotated[
    bool,
    typer.Option(
        "--by-hour",
        help="Compare rows with the reference of their hour of the day (UTC): takes --time and a few thousand rows "
        "an hour. For data that has a daily cycle.",
    ),
]
Windows = Annotated[
    str, typer.Option(help="Window sizes in rows of which the natural variation is measured.", metavar="N,…")
]
Quantile = Annotated[
    float,
    typer.Option(
        help="Quantile of the reference's own windows that counts as natural; 1 is the largest.", min=0, max=1
    ),
]
ZeroBinOption = Annotated[
    ZeroBin,
    typer.Option(help="How PSI counts an empty bin: half a row in each bin, or shares clipped at 1e-4 as is common."),
]
TrustedTypes = Annotated[
    str | None,
    typer.Option(
        help="Types beyond the built-in list that the model file may contain; each can run code.",
        metavar="TYPE,…",
        envvar=TRUSTED_VARIABLE,
        show_default=False,
    ),
]
MOST_CODES_BYTES: Final = 64 << 20
"""The largest file of category codes that is read."""
WIDTH: Final = 110
"""Characters in a line, at least, where the output is no terminal: a table of columns takes so many."""
_SIZES = ",".join(map(str, WINDOW_SIZES))


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def serve(
    bundle: Annotated[Path | None, typer.Option(help="Folder of the model bundle.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", show_default="8000")] = None,
    clock: Annotated[
        str | None,
        typer.Option(help="`arrival`, or `event` for replays.", metavar="CLOCK", show_default="arrival"),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve.", show_default="1")] = None,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder that windows and counters are kept in, or `memory`.", show_default="BUNDLE.state, beside it"
        ),
    ] = None,
    fresh_state: Annotated[
        bool, typer.Option("--fresh-state", help="Delete the state of this model version first.")
    ] = False,
    trusted_types: TrustedTypes = None,
    log_format: Annotated[str | None, typer.Option(help="`json` or `console`.", show_default="json")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.", show_default="info")] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file of settings (or DRIFTGAUGE_CONFIG).", dir_okay=False)
    ] = None,
) -> None:
    """Serve a model bundle over HTTP and watch what it sees.

    Every setting can also come from the environment (`DRIFTGAUGE_PSI_THRESHOLD_WARNING=0.15`) or the TOML file; the
    command line wins, then the environment. docs/settings.md lists all of them.
    """
    from app.serve_command import Started, run

    flags = {
        "bundle": bundle,
        "host": host,
        "port": port,
        "clock": clock,
        "workers": workers,
        "state_dir": state_dir,
        "trusted_types": trusted_types,
        "log_format": log_format,
        "log_level": log_level,
    }
    run(Started(flags, config, fresh_state=fresh_state))


@app.command()
def demo(
    rows: Annotated[int | None, typer.Option(help="Flights to replay.", min=1, show_default="all from May on")] = None,
    exit: Annotated[bool, typer.Option("--exit", help="End after the replay instead of serving on.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    batch: Annotated[int, typer.Option(help="Most flights in one request.", min=1, max=10_000)] = 500,
    pace: Annotated[
        int | None,
        typer.Option(help="Flights per second.", min=1, show_default="as fast as it goes; 2000 with --stack"),
    ] = None,
    stack: Annotated[
        bool, typer.Option("--stack", help="Run Prometheus and Alertmanager beside it; both must be installed.")
    ] = False,
    prometheus_port: Annotated[int, typer.Option(help="Port of Prometheus, with --stack.")] = 9090,
    alertmanager_port: Annotated[int, typer.Option(help="Port of Alertmanager, with --stack.")] = 9093,
) -> None:
    """Serve a model of flight delays and replay the flights of 2013 into it.

    It was fitted on January to March; the replay starts in May. Watch the weather drift into summer at /drift/status
    and /metrics, and with --stack the alerts. Needs the extra: pip install 'driftgauge[demo]'.
    """
    try:
        from app.demo import DemoOptions, run
        from app.stack import Place, Places
    except ModuleNotFoundError as error:
        raise BundleError(f"the demo needs {error.name}: pip install 'driftgauge[demo]'") from error
    places = Places(Place(prometheus_port, "--prometheus-port"), Place(alertmanager_port, "--alertmanager-port"))
    listen = Place(port, host=host)
    options = DemoOptions(listen, rows, leave=exit, batch_rows=batch, pace=pace, stack=places if stack else None)
    raise typer.Exit(run(options))


@bundle_app.command("create")
def bundle_create(
    estimator: Annotated[Path, typer.Option(help="Fitted scikit-learn estimator, saved with skops.io.dump.")],
    reference: Annotated[Path, typer.Option(help="Table it was fitted on: csv, parquet, JSON lines, or a folder.")],
    target: Annotated[str, typer.Option(help="Column that it predicts.")],
    name: Annotated[str, typer.Option(help="Model name: letters, digits, . _ -")],
    version: Annotated[str, typer.Option(help="Model version: letters, digits, . _ -")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    evaluation: Annotated[
        Path | None,
        typer.Option(
            help="Held-out table. The scores' distribution and the performance come from it; "
            "without it they are marked in-sample, and the score is never judged."
        ),
    ] = None,
    time: Time = None,
    by_hour: ByHour = False,
    kinds: Kinds = None,
    ignore: Ignore = None,
    category_codes: Annotated[
        Path | None,
        typer.Option(
            help='JSON file {"column": {"category": number}}: the numbers that the estimator was fitted on. '
            "Columns of text without codes are given to it as text."
        ),
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option(
            help="Columns that the estimator takes, in order, where it does not say so itself. Can be repeated; a "
            "name that holds a comma is given alone.",
            metavar="COL,…",
            show_default=False,
        ),
    ] = None,
    share_samples: Annotated[
        bool,
        typer.Option(
            "--share-samples",
            help="Put three rows of the evaluation table into the bundle, for everyone who can reach the server to "
            "see; without it the samples are made up of medians and most frequent categories.",
        ),
    ] = False,
    trusted_types: TrustedTypes = None,
    windows: Windows = _SIZES,
    natural_variation_quantile: Quantile = 1.0,
    zero_bin: ZeroBinOption = "jeffreys",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the folder if it exists.")] = False,
) -> None:
    """Make a bundle of an estimator and the table it was fitted on."""
    console = _console(stderr=True)
    told: list[str] = []
    with console.status("reading the tables, counting, predicting the evaluation rows …"):
        try:
            bundle = create_bundle(
                estimator,
                reference,
                target,
                name=name,
                version=version,
                out=out,
                evaluation=evaluation,
                options=_options(
                    reference, time, by_hour, kinds, ignore, windows, natural_variation_quantile, zero_bin
                ),
                category_codes=_read_codes(category_codes),
                trusted_types=_split(trusted_types or ""),
                overwrite=overwrite,
                features=chosen(features, TableStream(reference).column_names, "--features") if features else (),
                share_samples=share_samples,
                tell=told.append,
            )
        except UntrustedTypes as error:
            raise error.told_for("option") from error
    for line in told:
        console.print(line, soft_wrap=True)
    show_bundle(bundle.info, bundle.baseline, _console())
    console.print(f"wrote {out}; serve it: driftgauge serve --bundle {out}")


@bundle_app.command("show")
def bundle_show(
    folder: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print bundle.json's content.")] = False,
) -> None:
    """Say what a bundle contains."""
    info = read_info(folder)
    if as_json:
        typer.echo(info.model_dump_json(indent=1))
    else:
        show_bundle(info, read_baseline(folder / "baseline.json"), _console())


@baseline_app.command("build")
def baseline_build(
    table: Annotated[Path, typer.Argument(help="Reference table: csv, parquet, JSON lines, or a folder.")],
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("baseline.json"),
    time: Time = None,
    by_hour: ByHour = False,
    kinds: Kinds = None,
    ignore: Ignore = None,
    windows: Windows = _SIZES,
    natural_variation_quantile: Quantile = 1.0,
    zero_bin: ZeroBinOption = "jeffreys",
) -> None:
    """Build the baseline of a table alone, for a model that is served elsewhere."""
    console = _console(stderr=True)
    with console.status("reading the table, counting …"):
        options = _options(table, time, by_hour, kinds, ignore, windows, natural_variation_quantile, zero_bin)
        baseline = baseline_of(table, options)
        try:
            out.write_text(dumps(baseline), encoding="utf-8")
        except OSError as error:
            raise BaselineError(f"cannot write {out}: {error.strerror or 'it cannot be written'}") from error
    show_baseline(baseline, _console())
    _say_left_out(console, table, [*baseline.names, time])
    console.print(f"wrote {out}")


@baseline_app.command("show")
def baseline_show(
    file: Annotated[Path, typer.Argument(help="A baseline.json.")],
    column: Annotated[str | None, typer.Option(help="Show the bins of one column.")] = None,
) -> None:
    """Say what a baseline knows of its columns."""
    baseline = read_baseline(file)
    if column is None:
        show_baseline(baseline, _console())
        return
    if column not in baseline.names:
        raise BaselineError(f"there is no column {column}; there is {listed(baseline.names)}")
    show_bins(baseline, column, _console())


def _options(
    table: Path,
    time: str | None,
    by_hour: bool,
    kinds: list[str] | None,
    ignore: list[str] | None,
    windows: str,
    quantile: float,
    zero_bin: ZeroBin,
) -> BaselineOptions:
    sizes = _split(windows)
    if not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise BaselineError(f"--windows {windows}: give sizes in rows, e.g. {_SIZES}")
    known = TableStream(table).column_names if kinds or ignore else ()
    return BaselineOptions(
        time=time,
        by_hour=by_hour,
        kinds=stated_kinds(kinds or (), known),
        ignore=chosen(ignore or (), known, "--ignore"),
        window_sizes=[int(size) for size in sizes],
        natural_variation_quantile=quantile,
        zero_bin=zero_bin,
    )


def _say_left_out(console: Console, table: Path, used: Sequence[str | None]) -> None:
    """Say which columns are a DataFrame's index that came with the table, and so were left out."""
    left_out = [name for name in index_columns(TableStream(table).column_names) if name not in used]
    if left_out:
        named = ", ".join(name or "the first one, without a name" for name in left_out)
        console.print(f"left out, because it is a DataFrame's index and no feature: {named}", soft_wrap=True)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _read_codes(path: Path | None) -> dict[str, dict[str, float]] | None:
    if path is None:
        return None
    try:
        codes = json.loads(read_bounded(path, MOST_CODES_BYTES))
        return {name: {str(k): float(v) for k, v in known.items()} for name, known in codes.items()}
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror or 'it cannot be read'}") from error
    except (ValueError, AttributeError, TypeError, RecursionError, OverflowError) as error:
        raise TableError(f'cannot read {path}: it must be JSON like {{"column": {{"category": 1}}}}') from error


# ---------------------------------------------------------------- what a person sees


def show_bundle(info: BundleInfo, baseline: Baseline, console: Console) -> None:
    """Print what a bundle contains."""
    facts = _facts()
    facts.add_row("model", f"{info.name} {info.version}, {info.task}")
    if info.classes:
        facts.add_row("classes", ", ".join(map(str, info.classes)))
    facts.add_row("missing values", _missing_values(info))
    facts.add_row("given to the model as", _input(info))
    if info.performance:
        measured = ", ".join(f"{name} {value:.4g}" for name, value in info.performance.metrics.items())
        where = "of its own training rows" if info.performance.in_sample else "held-out rows"
        facts.add_row("performance", f"{measured} on {info.performance.rows:,} {where}")
    facts.add_row("created", f"{info.created} with {', '.join(f'{k} {v}' for k, v in info.libraries.items())}")
    console.print(facts)
    show_baseline(baseline, console)


def _input(info: BundleInfo) -> str:
    """Say what the model is given, what that takes, and how it would take less."""
    what = {"matrix": "a matrix", "dataframe": "a DataFrame", "texts": "a list of texts"}[info.input]
    if info.timing:
        what += f": {_duration(info.timing.one_row_seconds)} for one row"
        if info.timing.rows_seconds is not None:
            what += f", {_duration(info.timing.rows_seconds)} for {info.timing.rows}"
        what += ", measured when the bundle was made"
    if info.input != "dataframe":
        return what
    kinds = {feature.kind for feature in info.features if feature.codes is None}
    if "text" in kinds:
        return f"{what}. Free text takes one"
    if "categorical" in kinds:
        return f"{what}. A matrix is faster: fit the estimator on numbers in place of texts (--category-codes)"
    return f"{what}. A matrix is faster: let the estimator select columns by their places, not by names"


def _duration(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"


def _missing_values(info: BundleInfo) -> str:
    refusing = [feature.name for feature in info.features if not feature.accepts_missing]
    if not refusing:
        return "accepted"
    if len(refusing) == len(info.features):
        return "refused"
    return f"accepted, but not of {', '.join(refusing[:10])}" + ("…" if len(refusing) > 10 else "")


def show_baseline(baseline: Baseline, console: Console) -> None:
    """Print a line for each column of a baseline."""
    order = (
        f"in order of {baseline.time_column}" if baseline.time_column else "without times: rows count as independent"
    )
    order += ", by hour of the day" if baseline.is_by_hour else ""
    facts = _facts()
    facts.add_row("baseline", f"{baseline.rows} rows, {order}")
    facts.add_row("hash", baseline.hash)
    size = max((size for column in baseline.columns for size in column.natural_variation), default=None)
    if size is not None:
        facts.add_row("varies", f"how far the reference's own windows of {size:,} rows lie from it: debiased PSI")
    if baseline.time_column:
        facts.add_row("tau", "how many consecutive rows tell as much as one independent row")
    for note in notes(baseline):
        facts.add_row("note", note)
    console.print(facts)
    table = Table("column", "kind", "bins", "missing", "mean", "sd", "min", "max", "varies", "tau", box=None)
    for text in table.columns[:2]:
        text.no_wrap = True
    for column, varies in zip(baseline.columns, baseline.natural_variation(size or 0).tolist(), strict=True):
        missing = column.counts[column.bins.special["missing"]] / column.rows
        numbers = [_short(value) for value in (column.mean, column.std, column.min, column.max)]
        name = column.name + (" (in-sample)" if column.in_sample else "")
        known = f"{varies:.2g}" if column.natural_variation else "unknown"
        tau = "unknown" if column.tau is None else f"{column.tau:.3g}"
        table.add_row(name, column.kind, str(len(column.bins.names)), f"{missing:.1%}", *numbers, known, tau)
    console.print(table)


def show_bins(baseline: Baseline, name: str, console: Console) -> None:
    """Print the bins of a column with the reference's rows in each."""
    column = baseline.columns[baseline.names.index(name)]
    table = Table("bin", "rows", "share", box=None)
    for bin_name, count in zip(column.bins.names, column.counts, strict=True):
        table.add_row(bin_name, number_name(count), f"{count / column.rows:.2%}")
    console.print(table)


def _console(*, stderr: bool = False) -> Console:
    """Return a console that prints names as they are, whatever brackets and colons they hold."""
    console = Console(stderr=stderr, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, WIDTH)
    return console


def _facts() -> Table:
    table = Table(box=None, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    return table


def _short(value: float) -> str:
    return "" if value != value else f"{value:.4g}"  # NaN


def main() -> Any:
    """Run the command; an expected error is one line on standard error and exit code 2, any other exit code 3."""
    replace_unprintable(sys.stdout, sys.stderr)
    try:
        return app()
    except EXPECTED as error:
        line = " ".join(str(error).split())
        _console(stderr=True).print(Text.assemble(("driftgauge:", "red"), f" {line}"), soft_wrap=True)
        sys.exit(2)
    except Exception:  # Python's own exit code for it is 1, which says drift
        traceback.print_exc()
        sys.exit(3)
