"""Finds what a check compares with: a path of the command line, or a model of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from driftgauge.common.nearest import nearest
from driftgauge.common.quoting import listed, shortened
from driftgauge.errors import BundleError, SettingsError
from driftgauge.models.bundle import read_info
from driftgauge.settings.models import ModelSource
from driftgauge.settings.options import Settings, load


@dataclass(frozen=True)
class CheckedModel:
    """A model to compare with."""

    path: Path
    """Its baseline, or the folder of its bundle."""
    settings: Settings | None = None
    """The settings that hold for it; None for those of no server."""
    name: str | None = None
    """Its name in the settings; None if they name none."""


def checked_model(baseline: Path | None, config: Path | None, name: str | None) -> CheckedModel:
    """Return the model that the options name: the baseline alone, or with the settings of a model.

    The settings are read if the file or the model is named, or if there is no baseline; a baseline replaces that of the
    model. SettingsError if they name no such model.
    """
    if baseline is not None and config is None and name is None:
        return CheckedModel(baseline)
    settings = load(config=config)
    if baseline is not None and name is None and len(settings.sources) != 1:
        if settings.models:
            raise SettingsError(
                f"name the model whose settings hold (--model NAME): there is {listed(_names(settings))}"
            )
        return CheckedModel(baseline, settings)
    source = _source(settings, name)
    path = baseline or source.bundle or source.baseline
    assert path is not None  # noqa: S101  a source has one of them
    return CheckedModel(path, source.settings, _name(source))


def settings_name_a_model() -> bool:
    """Return whether the settings of the environment name a model."""
    return bool(load().sources)


def _source(settings: Settings, name: str | None) -> ModelSource:
    """Return the model of a name, or the only one."""
    sources, names = settings.sources, _names(settings)
    if name is None and len(sources) == 1:
        return sources[0]
    if not sources:
        raise SettingsError(
            "no model to compare with: give --baseline, or a settings file that names it (--config FILE)"
        )
    if name is None:
        raise SettingsError(f"the settings have several models: name one (--model NAME); there is {listed(names)}")
    if name not in names:
        like = nearest(name, names)
        advice = f"did you mean {like}?" if like else f"there is {listed(names)}"
        raise SettingsError(f"--model: the settings have no model {shortened(name)}; {advice}")
    return sources[names.index(name)]


def _names(settings: Settings) -> list[str]:
    return [_name(source) for source in settings.sources]


def _name(source: ModelSource) -> str:
    """Return the name of a model: that of the settings, else that in its bundle."""
    if source.name is not None or source.bundle is None:
        return source.label
    try:
        return read_info(source.bundle).name
    except BundleError:
        return source.label
