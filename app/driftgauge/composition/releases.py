"""Puts releases together: the ledger of a server, and what follows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from driftgauge.composition.aliases import compose_aliases
from driftgauge.composition.loading import candidate_of
from driftgauge.edges.http.context import ServerContext
from driftgauge.edges.http.deployment import ServedDeployment
from driftgauge.edges.http.releases import Releases
from driftgauge.edges.http.served_models import ServedModel
from driftgauge.errors import BundleError, LedgerUnavailable
from driftgauge.metrics.series import LATENCY_BUCKETS
from driftgauge.models.bundle import read_info
from driftgauge.releases.agent import Agent, Terms
from driftgauge.releases.ledger import Ledger
from driftgauge.releases.membership import Membership
from driftgauge.releases.release import Candidate
from driftgauge.settings.options import Settings

PROBLEM: Final = "releases"


def compose_releases(
    settings: Settings,
    context: ServerContext,
    load: Callable[[Candidate], ServedModel],
    clock: Callable[[], float],
) -> Releases:
    """Assemble the releases of a server whose settings name its models; `load` makes another version's parts."""
    problems = context.monitoring.service.problems
    ledger, folder = Ledger.in_memory(), settings.state_folder
    if folder is not None:
        try:
            ledger = Ledger.open(folder)
        except LedgerUnavailable as error:
            problems.record_lasting(PROBLEM, f"{error}. Loaded versions are forgotten at a restart")
    folders: list[Path] = []
    own_names: dict[str, str] = {}
    states: dict[str, Path | None] = {}
    for source in settings.sources:
        if source.bundle is None:
            continue
        try:
            candidate = candidate_of(source, source.bundle)
            own_names[candidate.model] = read_info(source.bundle).name
        except BundleError:  # of several models, it is left out
            continue
        ledger.configure(candidate, clock(), settings.max_versions)
        folders.append(candidate.bundle.parent)
        states[candidate.model] = source.settings.state_folder
    membership = Membership(ledger, tuple(states))
    deployment = ServedDeployment(context, ledger, load, states)
    terms = Terms(
        load_seconds=settings.version_load_seconds,
        retired_seconds=settings.retired_state_seconds,
        most_versions=settings.max_versions,
        latency_bounds=LATENCY_BUCKETS,
    )
    agent = Agent(ledger, membership, deployment, terms, clock, lambda error: problems.record(PROBLEM, error))
    aliases = compose_aliases(settings, context, agent, own_names, clock)
    if aliases is not None:
        deployment.alias_of = aliases.facts
    return Releases(
        context,
        agent,
        deployment,
        aliases=aliases,
        folders=settings.bundle_folders or tuple(dict.fromkeys(folders)),
        own_names=own_names,
        is_alone=ledger.folder is None and settings.workers > 1,
    )
