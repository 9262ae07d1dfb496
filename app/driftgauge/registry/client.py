"""MLflow's registry, by its own client."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from driftgauge.common.quoting import shortened
from driftgauge.errors import Reason, Refused, RegistryError
from driftgauge.registry.versions import RegisteredVersion

ADDRESS_VARIABLES: Final = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
"""Variables of MLflow that name its server."""
_DEFAULTS: Final[Mapping[str, str]] = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""Variables of MLflow that are set unless the user sets them: no reports of its use, and no waits of minutes."""
_ABSENT: Final = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""What MLflow answers where there is no such model, version or alias."""
_CREDENTIALS: Final = re.compile(r"//[^/@\s]*@")
_LONGEST: Final = 200


def require_mlflow(uri: str | None) -> None:
    """Raise RegistryError if MLflow is not installed, or nothing says where its server is."""
    if find_spec("mlflow") is None:
        raise RegistryError("MLflow is not installed: pip install 'driftgauge[mlflow]'")
    if not uri and not any(os.environ.get(name) for name in ADDRESS_VARIABLES):
        raise RegistryError("no MLflow server is named: set MLFLOW_TRACKING_URI, or the setting registry_uri")


class MlflowRegistry:
    """The registry of an MLflow server; see `Registry`. MLflow is imported with the first call."""

    def __init__(self, uri: str | None) -> None:
        """Take the address of the server, None for the one that MLflow's variables name."""
        self._uri = uri or None

    @cached_property
    def _client(self) -> Any:
        for name, value in _DEFAULTS.items():
            os.environ.setdefault(name, value)
        from mlflow.tracking import MlflowClient

        return MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)

    # ------------------------------------------------------------ reading

    def by_alias(self, name: str, alias: str) -> RegisteredVersion:
        """Return the version that an alias names; see `Registry.by_alias`."""
        missing = (Reason.ALIAS_NOT_FOUND, f"the registered model {name} has no alias {alias}")
        with _explained(*missing):
            return _registered(self._client.get_model_version_by_alias(name, alias))

    def by_number(self, name: str, version: str) -> RegisteredVersion:
        """Return a version by its number; see `Registry.by_number`."""
        with _explained(Reason.VERSION_CONFLICT, f"the registered model {name} has no version {version}"):
            return _registered(self._client.get_model_version(name, version))

    def download(self, run: str, path: str, folder: Path) -> Path:
        """Write an artifact into a folder; see `Registry.download`."""
        with _explained(Reason.VERSION_WITHOUT_BUNDLE, f"run {run} has no artifact {path}"):
            return Path(self._client.download_artifacts(run, path, str(folder)))

    # ------------------------------------------------------------ writing

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Let an alias name a version; see `Registry.set_alias`."""
        with _explained(Reason.VERSION_CONFLICT, f"the registered model {name} has no version {version}"):
            self._client.set_registered_model_alias(name, alias, version)

    def tag_version(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        """Set tags of a version; see `Registry.tag_version`."""
        with _explained(Reason.VERSION_CONFLICT, f"the registered model {name} has no version {version}"):
            for key, value in tags.items():
                self._client.set_model_version_tag(name, version, key, value)

    def tag_run(self, run: str, tags: Mapping[str, str], metrics: Mapping[str, float], at: float) -> None:
        """Set tags and metrics of a run; see `Registry.tag_run`."""
        with _explained(Reason.VERSION_CONFLICT, f"there is no run {run}"):
            from mlflow.entities import Metric, RunTag

            self._client.log_batch(
                run,
                metrics=[Metric(key, value, int(at * 1000), 0) for key, value in metrics.items()],
                tags=[RunTag(key, value) for key, value in tags.items()],
            )

    def create_run(self, experiment: str, name: str) -> tuple[str, str]:
        """Create a run for a bundle; returns its id and the address of its artifacts."""
        with _explained(Reason.VERSION_CONFLICT, f"the experiment {experiment} cannot be used"):
            found = self._client.get_experiment_by_name(experiment)
            own = found.experiment_id if found else self._client.create_experiment(experiment)
            info = self._client.create_run(own, run_name=name).info
            return info.run_id, info.artifact_uri

    def end_run(self, run: str) -> None:
        """Mark a run as finished."""
        with _explained(Reason.VERSION_CONFLICT, f"there is no run {run}"):
            self._client.set_terminated(run)

    def create_version(self, name: str, source: str, run: str) -> RegisteredVersion:
        """Register a version whose files are at an address; the model is registered too if it is new."""
        with _explained(Reason.VERSION_CONFLICT, f"the model {name} cannot be registered"):
            from mlflow.exceptions import MlflowException

            try:
                self._client.create_registered_model(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            return _registered(self._client.create_model_version(name, source, run_id=run, await_creation_for=0))

    def upload(self, run: str, folder: Path, path: str) -> None:
        """Write the files of a folder to the artifacts of a run."""
        with _explained(Reason.VERSION_CONFLICT, f"there is no run {run}"):
            self._client.log_artifacts(run, str(folder), path)


def _registered(found: Any) -> RegisteredVersion:
    return RegisteredVersion(found.name, str(found.version), found.run_id or None, dict(found.tags))


@contextmanager
def _explained(absent: Reason, what: str) -> Iterator[None]:
    """Turn what MLflow and its transport raise into Refused: something is not there, or MLflow does not answer."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:  # MLflow passes on what its transport raises
        first = next(iter(str(error).strip().splitlines()), "")
        said = shortened(_CREDENTIALS.sub("//…@", first), _LONGEST)
        if getattr(error, "error_code", None) in _ABSENT:
            raise Refused(absent, f"{what} ({said})") from error
        raise Refused(Reason.REGISTRY_UNREACHABLE, f"MLflow does not answer as expected: {said}") from error
