"""`driftgauge serve`: its options are settings, and say what these say."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from driftgauge.cli.model_options import Task, model_by_baseline
from driftgauge.errors import SettingsError
from driftgauge.settings.options import CONFIG_VARIABLE, Settings

Given = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        dir_okay=False,
        help=f"TOML file of settings (or {CONFIG_VARIABLE}); it can give each of several models its own.",
        rich_help_panel="Settings",
    ),
]
Fresh = Annotated[
    bool,
    typer.Option("--fresh-state", help="Delete the state of this model version first.", rich_help_panel="State"),
]


Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure",
        help="Ask for no token on an address that other machines can reach.",
        rich_help_panel="Access",
    ),
]


@dataclass(frozen=True)
class Flag:
    """A setting that is also an option of the command."""

    setting: str
    metavar: str
    group: str
    is_repeatable: bool = False
    flag: str | None = None
    """Its name on the command line, by default that of the setting."""

    @property
    def parameter(self) -> inspect.Parameter:
        """The parameter that typer reads: text, which the settings parse, or None if it is not given."""
        field = Settings.model_fields[self.setting]
        option = typer.Option(
            *([] if self.flag is None else [self.flag]),
            metavar=self.metavar,
            help=field.description,
            show_default=str(field.default or "") or False,
            rich_help_panel=self.group,
        )
        kind = list[str] | None if self.is_repeatable else str | None
        keyword = inspect.Parameter.KEYWORD_ONLY
        return inspect.Parameter(self.setting, keyword, default=None, annotation=Annotated[kind, option])


FLAGS: Final = (
    Flag("bundle", "FOLDER", "Model", is_repeatable=True),
    Flag("trusted_types", "TYPE,…", "Model"),
    Flag("follow_alias", "ALIAS", "Model"),
    Flag("registry_uri", "URI", "Model"),
    Flag("host", "ADDRESS", "Server"),
    Flag("port", "PORT", "Server"),
    Flag("workers", "N", "Server"),
    Flag("tokens_file", "FILE", "Access"),
    Flag("state_dir", "FOLDER", "State"),
    Flag("clock", "arrival|event", "State"),
    Flag("log_format", "auto|json|console", "Logs"),
    Flag("log_level", "debug|info|warning|error", "Logs"),
)
"""The settings that are asked for most; all of them can be set by environment or file."""


def with_flags(flags: Sequence[Flag]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command that takes `**flags` an option for each of some flags."""

    def extended(command: Callable[..., None]) -> Callable[..., None]:
        *own, _ = inspect.signature(command, eval_str=True).parameters.values()
        parameters = [*(flag.parameter for flag in flags), *own]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it, mypy does not know it
        return command

    return extended


BaselineFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        dir_okay=False,
        help="Baseline of a model that another server serves, in place of a bundle.",
        rich_help_panel="Model",
    ),
]
Name = Annotated[str | None, typer.Option(metavar="NAME", help="Its name.", rich_help_panel="Model")]


@with_flags(FLAGS)
def serve(
    *,
    baseline: BaselineFile = None,
    model: Name = None,
    task: Task = None,
    insecure: Insecure = False,
    fresh_state: Fresh = False,
    config: Given = None,
    **flags: Any,
) -> None:
    """Serve a model bundle over HTTP and monitor it for drift.

    Every setting can also come from the environment (DRIFTGAUGE_PSI_THRESHOLD_WARNING=0.15) or the TOML file. The
    command line wins, then the environment. docs/settings.md lists all settings.
    """
    from driftgauge.process.serve import Started, run

    bundles: list[str] = flags.pop("bundle") or []
    several = {"bundles": ",".join(bundles)} if len(bundles) > 1 else {"bundle": bundles[0] if bundles else None}
    if baseline is None and model is not None:
        raise SettingsError("--model names the model of a --baseline; that of a bundle is named in its table")
    named, _ = model_by_baseline(baseline, model, None, task)
    run(Started({**flags, **several, **named, "insecure": insecure or None}, config, fresh_state=fresh_state))
