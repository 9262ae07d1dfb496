"""The parts of a server that its HTTP routes use, as `main.create_app` puts them together."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import Request

from driftgauge.common.quoting import named, shortened
from driftgauge.edges.http.access import Access
from driftgauge.edges.http.connection.connections import Connections
from driftgauge.edges.http.intakes import Intakes
from driftgauge.edges.http.monitoring import Monitoring
from driftgauge.edges.http.request_metrics import HttpCounters
from driftgauge.edges.http.served_models import ServedModel, ServedModels
from driftgauge.errors import Reason, Refused
from driftgauge.monitor.problems import Problems
from driftgauge.settings.options import Settings


@dataclass
class ServerContext:
    """One server's parts."""

    settings: Settings
    monitoring: Monitoring
    models: ServedModels
    """The models that predict. Each request looks its model up here, because another version may become live."""
    failures: Problems
    """Failures of requests that belong to no model."""
    http: HttpCounters
    connections: Connections
    access: Access
    intakes: Intakes
    ready: bool = field(default=False)

    def model(self, name: str | None = None, version: str | None = None, *, how: str = "?model=NAME") -> ServedModel:
        """Return a served model, its live version by default; the name may be left out where there is one model.

        Refused for an unknown name or version, a version that is not live, and a model that could not be loaded.
        """
        names = self.models.names
        if name is None and self.models.has_short_routes and len(names) == 1:
            name = names[0]
        if name is None:
            message = f"this server has several models: name one with {how}; there is {named(sorted(names))}"
            raise Refused(Reason.MODEL_NOT_NAMED, message, {"field": "model"})
        found = self.models.live(name) if version is None else self.models.find(name, version)
        if found is None:
            if why := self.monitoring.unusable.get(name):
                shown = "GET /models says why" if self.access.is_on else why  # the text may hold paths
                raise Refused(
                    Reason.MODEL_UNUSABLE, f"the model {name} could not be loaded: {shown}", {"field": "model"}
                )
            if name not in names and self.monitoring.models.live(name):
                message = f"{name} is served elsewhere: this server monitors it and does not predict"
                raise Refused(Reason.NOT_FOUND, message, {"field": "model"})
            raise Refused(Reason.NOT_FOUND, self._unknown(name, version), {"field": "model"})
        if not self.models.is_live(found):
            raise Refused(Reason.NOT_FOUND, self._not_live(found), {"field": "model"})
        return found

    def _not_live(self, model: ServedModel) -> str:
        release, live = model.monitoring.release, self.models.live(model.model_name)
        what = "not live" if release is None else "a shadow" if release.role == "shadow" else release.role
        now = "" if live is None else f"; the live version is {live.model_version}"
        return f"version {model.model_version} of {model.model_name} answers no requests, it is {what}{now}"

    def _unknown(self, name: str, version: str | None) -> str:
        """Return what is wrong with a name or version that is not served."""
        if len(self.models) == 1:
            (only,) = self.models
            return f"this server serves only the model {only.model_name}, version {only.model_version}"
        if versions := [own.model_version for own in self.models.of(name)]:
            return (
                f"the model {shortened(name)} has no version {shortened(version or '')!r}; there is {named(versions)}"
            )
        return f"there is no model {shortened(name)!r}; there is {named(sorted(self.models.names))}"

    def install(self, model: ServedModel) -> None:
        """Serve and monitor a model version; it is live if it is the first of its name.

        Call it in the event loop, so that a request sees all of it or nothing. Starting its tasks is the caller's.
        SettingsError as in `Monitoring.add`.
        """
        self.monitoring.add(model.monitoring)
        if self.monitoring.predictions is not None:
            model.capture.log = model.monitoring.way_into(self.monitoring.predictions)
        self.models.add(model)

    def make_live(self, name: str, version: str) -> None:
        """Let another version answer all further requests for a model; KeyError for an unknown one."""
        self.models.make_live(name, version)
        self.monitoring.models.make_live(name, version)

    def remove(self, name: str, version: str) -> ServedModel:
        """Serve and monitor a version no longer, and return it; its state is still to be left.

        KeyError for an unknown version, ValueError for the live one of several.
        """
        model = self.models.remove(name, version)
        self.monitoring.models.remove(name, version)
        return model


def model_of(request: Request) -> ServedModel:
    """Return the model that a request names with `?model=`, or the only one; Refused otherwise."""
    return context_of(request).model(request.query_params.get("model"))


def context_of(request: Request) -> ServerContext:
    """Return the context of the server that answers a request."""
    context: ServerContext = request.app.state.context
    return context
