"""Every option of the server: its default, its unit in its name, and one sentence.

Values come from the command line, then the environment (`DRIFTGAUGE_` and the name in capitals),
then a TOML file, then the defaults. All are read and checked at start; an unknown one stops it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from driftgauge.common.comma_lists import comma_list
from driftgauge.common.nearest import nearest
from driftgauge.errors import SettingsError
from driftgauge.settings.access import AccessSettings
from driftgauge.settings.actions import ActionSettings
from driftgauge.settings.attribution import AttributionSettings
from driftgauge.settings.compatibility import CompatibilitySettings
from driftgauge.settings.efficiency import EfficiencySettings
from driftgauge.settings.features import spelled_path
from driftgauge.settings.ground_truth import GroundTruthSettings
from driftgauge.settings.ingestion import IngestionSettings
from driftgauge.settings.kafka import KafkaSettings
from driftgauge.settings.limits import LimitSettings
from driftgauge.settings.messages import sentences, service_links
from driftgauge.settings.models import ModelSource, ModelsSettings, refuse_unknown, too_many_models
from driftgauge.settings.monitoring import ALL_WINDOWS, MAIN_WINDOW, MonitoringSettings
from driftgauge.settings.multivariate import MultivariateSettings
from driftgauge.settings.notify import NotifySettings
from driftgauge.settings.outliers import OutlierSettings
from driftgauge.settings.performance import PerformanceSettings
from driftgauge.settings.prediction_log import PredictionLogSettings
from driftgauge.settings.quality import QualitySettings
from driftgauge.settings.registry import RegistrySettings
from driftgauge.settings.releases import ReleaseSettings
from driftgauge.settings.server import IN_MEMORY, ServerSettings
from driftgauge.settings.statistics import StatisticSettings
from driftgauge.settings.telemetry import TelemetrySettings
from driftgauge.settings.thresholds import ThresholdSettings

ENVIRONMENT_PREFIX: Final = "DRIFTGAUGE_"
CONFIG_VARIABLE: Final = "DRIFTGAUGE_CONFIG"
GROUPS: Final[Mapping[str, type[BaseModel]]] = {
    "Server": ServerSettings,
    "Models": ModelsSettings,
    "Access": AccessSettings,
    "Limits": LimitSettings,
    "Releases": ReleaseSettings,
    "Registry": RegistrySettings,
    "Monitoring": MonitoringSettings,
    "Thresholds": ThresholdSettings,
    "Efficiency": EfficiencySettings,
    "Statistic": StatisticSettings,
    "Whole rows": MultivariateSettings,
    "Attributions": AttributionSettings,
    "Outliers": OutlierSettings,
    "Compatibility": CompatibilitySettings,
    "Data quality": QualitySettings,
    "Ground truth": GroundTruthSettings,
    "Performance": PerformanceSettings,
    "Prediction log": PredictionLogSettings,
    "Ingestion": IngestionSettings,
    "Kafka": KafkaSettings,
    "Actions": ActionSettings,
    "Notifications": NotifySettings,
    "OpenTelemetry": TelemetrySettings,
}
"""The options by what they are about, in the order in which they are listed."""


PER_MODEL: Final = frozenset(
    {
        *MonitoringSettings.model_fields,
        *ThresholdSettings.model_fields,
        *EfficiencySettings.model_fields,
        *StatisticSettings.model_fields,
        *MultivariateSettings.model_fields,
        *AttributionSettings.model_fields,
        *OutlierSettings.model_fields,
        *CompatibilitySettings.model_fields,
        *QualitySettings.model_fields,
        *GroundTruthSettings.model_fields,
        *PerformanceSettings.model_fields,
        *IngestionSettings.model_fields,
        *("follow_alias", "registered_model", "record_verdicts"),
        *("trusted_types", "model_threads", "max_rows", "max_batch_rows", "max_queued_requests", "max_queued_rows"),
    }
    - {
        *("error_budget_ratio", "price_per_hour", "price_currency"),
        *("ingest_max_body_bytes", "ingest_max_inflated_bytes", "ingest_max_pending_requests"),
    }
)
"""The settings that may differ from model to model."""
OF_COLUMNS: Final = ("features", "psi_thresholds_by_feature")
"""Settings that name columns; with several models each has its own."""


class _Environment(EnvSettingsSource):
    """The environment without the variables that Kubernetes sets itself."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        linked = {name.lower() for name in ignored_variables()}
        return {name: value for name, value in super()._load_env_vars().items() if name.lower() not in linked}


class Settings(
    TelemetrySettings,
    NotifySettings,
    ActionSettings,
    KafkaSettings,
    IngestionSettings,
    PredictionLogSettings,
    PerformanceSettings,
    GroundTruthSettings,
    QualitySettings,
    CompatibilitySettings,
    OutlierSettings,
    AttributionSettings,
    MultivariateSettings,
    StatisticSettings,
    EfficiencySettings,
    ThresholdSettings,
    MonitoringSettings,
    RegistrySettings,
    ReleaseSettings,
    LimitSettings,
    AccessSettings,
    ModelsSettings,
    ServerSettings,
    BaseSettings,
):
    """All options; pydantic lists the fields of the last base first."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, extra="forbid", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources of values, the strongest first."""
        return init_settings, _Environment(settings_cls)

    @model_validator(mode="after")
    def _groups_agree(self) -> Self:
        if self.workers > 1 and self.clock == "event":
            raise ValueError("workers must be 1 with clock=event, because a replay keeps the order of its rows")
        for name in self.psi_thresholds_by_feature:
            if name in self.features and self.features[name].thresholds.psi is not None:
                both = f"psi_thresholds_by_feature and {spelled_path([name, 'thresholds', 'psi'])}"
                raise ValueError(f"{both} set the same thresholds: leave one of them out")
        if self.reference == "rolling":
            self._require_log()
        if self.preset == "two-minutes":
            self._require_outliers()
        if self.release_threshold_critical_ratio < self.release_threshold_warning_ratio:
            raise ValueError("release_threshold_critical_ratio must not be below release_threshold_warning_ratio")
        if self.kafka_lag_threshold_critical_messages < self.kafka_lag_threshold_warning_messages:
            raise ValueError("kafka_lag_threshold_critical_messages must not be below the one for a warning")
        if self.notify and self.workers > 1 and self.state_dir == IN_MEMORY:
            raise ValueError("notify needs state_dir with several workers, or each of them would notify")
        if self.otlp_endpoint and "metrics" in self.otlp_signals and self.workers > 1 and self.state_dir == IN_MEMORY:
            raise ValueError("otlp_endpoint needs state_dir with several workers, or each of them would send metrics")
        if self.evaluation_stale_seconds <= self.evaluation_interval_seconds:
            raise ValueError("evaluation_stale_seconds must be longer than evaluation_interval_seconds")
        return self

    def _require_log(self) -> None:
        """Raise ValueError if the prediction log does not have what a rolling reference is made of."""
        if not self.prediction_log:
            raise ValueError("reference=rolling needs the prediction log: set prediction_log=true")
        for name in ("prediction_log_drop", "prediction_log_hash"):
            if getattr(self, name):
                raise ValueError(f"reference=rolling needs all features in the prediction log: leave out {name}")

    def _require_outliers(self) -> None:
        """Raise ValueError if there is not what the rule on the last two minutes needs."""
        if not self.monitoring_enabled:
            raise ValueError("preset=two-minutes needs monitoring: leave out monitoring_enabled=false")
        if not self.outliers:
            raise ValueError("preset=two-minutes needs the share of outliers: set outliers=true")
        if "2m" not in self.time_windows:
            raise ValueError("preset=two-minutes needs the window 2m: add it to time_windows")

    @model_validator(mode="after")
    def _models_agree(self) -> Self:
        given = [name for name in ("bundle", "bundles", "models") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} both name models: leave one of them out")
        several = len(self.bundles) + len(self.models)
        if several > self.max_models:
            raise ValueError(too_many_models(several, self.max_models))
        if of_columns := [name for name in OF_COLUMNS if several and getattr(self, name)]:
            raise ValueError(f"{of_columns[0]}: with several models, give it in the table of one: [models.NAME]")
        for name, table in self.models.items():
            refuse_unknown(name, table.own, Settings.model_fields, PER_MODEL)
            try:
                self._of_model(name)
            except ValidationError as error:
                found = sentences(error.errors(), Settings.model_fields, {})
                raise ValueError("; ".join(f"models.{name}: {text}" for text in found)) from error
        return self

    def _of_model(self, name: str) -> Settings:
        """Return the settings that hold for one of `models`. Raises ValidationError."""
        table, own = self.models[name], dict(self.models[name].own)
        if table.baseline is not None and self.state_dir is None:
            own["state_dir"] = table.baseline.resolve().with_suffix(".state")
        all_of = {field: getattr(self, field) for field in Settings.model_fields} | own
        if "metrics_windows" not in own:
            known = {MAIN_WINDOW, ALL_WINDOWS, *map(str, _listed(all_of["windows"])), *_listed(all_of["time_windows"])}
            all_of["metrics_windows"] = tuple(window for window in self.metrics_windows if window in known)
        return Settings(**{**all_of, "models": {}, "bundle": table.bundle})

    def require_folder_to_follow(self) -> None:
        """Raise SettingsError if an alias is followed, and there is no folder for the bundles that it names."""
        if self.follow_alias and self.state_dir == IN_MEMORY:
            raise SettingsError("follow_alias needs a folder for the bundles that are fetched: set state_dir to one")

    @property
    def sources(self) -> Sequence[ModelSource]:
        """The models that the settings name, each with the settings that hold for it."""
        if self.models:
            return [
                ModelSource(
                    self._of_model(name), table.bundle, table.baseline, name, table.version, table.task, table.classes
                )
                for name, table in self.models.items()
            ]
        if self.bundles:
            return [
                ModelSource(self.model_copy(update={"bundles": (), "bundle": bundle}), bundle)
                for bundle in self.bundles
            ]
        return [] if self.bundle is None else [ModelSource(self, self.bundle)]

    @property
    def state_folder(self) -> Path | None:
        """Folder of what is the server's own: that of its first model; None for in memory."""
        if self.state_dir is None and (self.models or self.bundles):
            return self.sources[0].settings.state_folder
        return super().state_folder

    @property
    def state_folders(self) -> Sequence[Path]:
        """The folders of all states, each once."""
        found = [self.state_folder, *(source.settings.state_folder for source in self.sources)]
        return [folder for folder in dict.fromkeys(found) if folder is not None]


def _listed(value: Any) -> Sequence[Any]:
    """Return a list that may be given as text."""
    return comma_list(value) if isinstance(value, str) else value


def load(flags: Mapping[str, Any] | None = None, config: Path | None = None) -> Settings:
    """Read the settings from flags, environment and TOML file; a flag that is None is not set.

    The file is `config`, or the one that DRIFTGAUGE_CONFIG names. Raises SettingsError.
    """
    path = config or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    own = set(os.environ) - set(ignored_variables())
    _refuse_unknown_variables(own)
    from_file = {name: value for name, value in _read(path).items() if variable(name) not in own}
    try:
        return Settings(**{**from_file, **given})
    except ValidationError as error:
        fields = Settings.model_fields
        variables = {name: variable(name) for name in fields if variable(name) in own and name not in given}
        raise SettingsError("; ".join(sentences(error.errors(), fields, variables))) from error


def variable(name: str) -> str:
    """Return the environment variable that sets an option."""
    return ENVIRONMENT_PREFIX + name.upper()


def ignored_variables() -> list[str]:
    """Return the variables that Kubernetes sets for a Service named driftgauge; they are not settings."""
    return service_links(os.environ, ENVIRONMENT_PREFIX)


def _refuse_unknown_variables(names: Collection[str]) -> None:
    known = {CONFIG_VARIABLE, *map(variable, Settings.model_fields)}
    unknown = sorted(name for name in names if name.upper().startswith(ENVIRONMENT_PREFIX) and name not in known)
    if unknown:
        raise SettingsError(f"unknown in the environment: {', '.join(unknown)}; {_advice(unknown[0])}")


def _advice(name: str) -> str:
    """Return the variable that was probably meant, or where all are listed."""
    like = nearest(name[len(ENVIRONMENT_PREFIX) :].lower(), ["config", *Settings.model_fields])
    return f"did you mean {variable(like)}?" if like else "docs/settings.md lists all of them"


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"the settings file {path} is not TOML: {error}") from error
