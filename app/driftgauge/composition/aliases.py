"""Puts together what follows the aliases of registered models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from driftgauge.composition.loading import source_of
from driftgauge.edges.http.aliases import Aliases
from driftgauge.edges.http.context import ServerContext
from driftgauge.errors import LedgerUnavailable
from driftgauge.registry.address import Address
from driftgauge.registry.client import MlflowRegistry, require_mlflow
from driftgauge.registry.follower import Followed, Follower
from driftgauge.registry.following import FollowingFile
from driftgauge.registry.recording import Verdict, VerdictRecorder
from driftgauge.registry.thread import AliasThread
from driftgauge.releases.agent import Agent
from driftgauge.settings.options import Settings

PROBLEM: Final = "alias_not_followed"
NOT_RECORDED: Final = "verdict_not_recorded"


def compose_aliases(
    settings: Settings, context: ServerContext, agent: Agent, own_names: Mapping[str, str], clock: Callable[[], float]
) -> Aliases | None:
    """Assemble what follows the aliases that the settings name; None without one, and without a state folder.

    RegistryError if MLflow is not installed, or no server of it is named.
    """
    followed, recorded = _followed(settings, own_names)
    if not followed:
        return None
    require_mlflow(settings.registry_uri)
    folder, problems = settings.state_folder, context.monitoring.service.problems
    if folder is None:
        return None
    try:
        file = FollowingFile(folder)
    except LedgerUnavailable as error:
        problems.record_lasting(PROBLEM, f"{error}. The aliases are not followed")
        return None
    registry = MlflowRegistry(settings.registry_uri)
    models = tuple(followed.values())
    follower = Follower(registry, file, agent.ledger, agent, folder, models, settings.alias_poll_seconds)
    recorder = VerdictRecorder(
        registry,
        file,
        [own for own in models if own.model in recorded],
        lambda model: _verdict_of(context, model),
        lambda error: problems.record(NOT_RECORDED, error),
    )
    thread = AliasThread(follower, recorder, clock, lambda error: problems.record(PROBLEM, error))
    return Aliases(followed, follower, thread, settings.alias_stale_seconds, clock)


def _followed(settings: Settings, own_names: Mapping[str, str]) -> tuple[dict[str, Followed], set[str]]:
    """Return the models that follow an alias by name, and those whose verdicts are recorded."""
    followed: dict[str, Followed] = {}
    recorded: set[str] = set()
    for model, own_name in own_names.items():
        own = source_of(settings, model).settings
        if not own.follow_alias:
            continue
        address = Address(own.registered_model or own_name, alias=own.follow_alias)
        followed[model] = Followed(model, tuple(dict.fromkeys([own_name, model])), address)
        if own.record_verdicts:
            recorded.add(model)
    return followed, recorded


def _verdict_of(context: ServerContext, model: str) -> Verdict | None:
    live = context.models.live(model)
    if live is None or live.monitoring.evaluator is None:
        return None
    report = live.monitoring.monitor.last.report
    return Verdict(live.model_version, report.status.value, report.reason, report.drifted, report.evaluated_at)
