"""Every option of the server: its default, its unit in its name, and one sentence.

Values come from the command line, then the environment (`DRIFTGAUGE_` and the name in capitals),
then a TOML file, then the defaults. All are read and checked at start; an unknown one stops it.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.errors import SettingsError
from driftgauge.settings.messages import nearest, sentences, service_links
from driftgauge.settings.web import HostNames, Origins, RootPath

ENVIRONMENT_PREFIX: Final = "DRIFTGAUGE_"
MAX_WINDOW_ROWS: Final = 1_000_000
MAX_WORKERS: Final = 60
IN_MEMORY: Final = Path("memory")
"""As `state_dir`: no files."""
CONFIG_VARIABLE: Final = "DRIFTGAUGE_CONFIG"


LEVELLED: Final = (
    "psi_threshold_{}",
    "missing_threshold_{}",
    "unseen_threshold_{}",
    "latency_threshold_{}_seconds",
)
"""Settings that come as a pair: the one for `critical` is not below that for `warning`."""


class _Environment(EnvSettingsSource):
    """The environment without what Kubernetes sets of itself."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        linked = {name.lower() for name in ignored_variables()}
        return {name: value for name, value in super()._load_env_vars().items() if name.lower() not in linked}


class Settings(BaseSettings):
    """The server's options."""

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
        """Return where values come from, the first one first."""
        return init_settings, _Environment(settings_cls)

    bundle: Path | None = Field(None, description="Folder of the model bundle to serve.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    allowed_hosts: HostNames = Field(
        (), description="Names that requests may be for (`Host`), e.g. `api.example.com,*.example.com`; `*` is any. "
        "IP addresses and loopback names always are. If not given: any, but on a loopback address none with a dot.",
    )  # fmt: skip
    allowed_origins: Origins = Field(
        (), description="Other sites whose pages may ask from a browser, e.g. `https://app.example.com`; `*` is any."
    )
    root_path: RootPath = Field("", description="Path under which a proxy shows the server, e.g. `/models/a`.")
    workers: int = Field(1, ge=1, le=MAX_WORKERS, description="Processes that serve; they share one state.")
    state_dir: Path | None = Field(
        None,
        description="Folder that windows and counters are kept in, beside the bundle (`BUNDLE.state`) if not given; "
        "`memory` keeps them in memory: a restart then begins anew, and each worker tells of its own rows.",
    )
    shutdown_grace_seconds: int = Field(
        25, ge=2, description="Time to finish what is being answered when the server is told to stop."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severity of the log lines that are written."
    )
    log_format: Literal["json", "console"] = Field("json", description="Log lines as JSON, or for a person's eyes.")

    trusted_types: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Types beyond the built-in list that a model file may contain; each can run code."
    )
    model_threads: int = Field(
        1, ge=1, description="BLAS and OpenMP threads of a prediction; more is slower for small batches."
    )
    max_body_bytes: int = Field(8_388_608, ge=1, description="Largest request body that is read.")
    max_pending_bytes: int = Field(
        268_435_456, ge=1, description="Bytes of large bodies that are being read at once; more are answered 503."
    )
    max_rows: int = Field(10_000, ge=1, description="Most rows in one request.")
    max_batch_rows: int = Field(
        2_048, ge=1, description="Most rows that the model is given at once; requests that wait are put together."
    )
    max_queued_requests: int = Field(
        1_024, ge=1, description="Requests that may wait for the model; one more is answered 503."
    )
    max_queued_rows: int = Field(
        50_000, ge=1, description="Rows that may wait for the model; a request that would make it more is answered 503."
    )

    max_connections: int | None = Field(
        None,
        ge=1,
        description="Connections that a worker keeps; 10,000, or what its limit of open files allows, if not given.",
    )
    max_header_bytes: int = Field(65_536, ge=1_024, description="Largest head of a request; a larger one is 431.")
    max_header_count: int = Field(100, ge=10, description="Most header fields of a request; more are 431.")
    max_url_bytes: int = Field(8_192, ge=256, description="Longest URL of a request; a longer one is 414.")
    head_timeout_seconds: float = Field(
        10.0,
        gt=0,
        allow_inf_nan=False,
        description="Time for the head of a request to arrive, from its first byte; 408 after it.",
    )
    body_timeout_seconds: float = Field(
        30.0, gt=0, allow_inf_nan=False, description="Time for the body of a request to arrive; 408 after it."
    )
    answer_timeout_seconds: float = Field(
        60.0,
        gt=0,
        allow_inf_nan=False,
        description="Time for a client to read an answer; the connection is cut after it.",
    )
    idle_timeout_seconds: float = Field(
        75.0,
        gt=0,
        allow_inf_nan=False,
        description="Time that a connection may be idle before its first request, and between two.",
    )

    monitoring_enabled: bool = Field(
        True, description="Watch what the model sees; without, predictions are answered and counted, no more."
    )
    clock: Literal["arrival", "event"] = Field(
        "arrival", description="What time it is: of arrival, or the latest `timestamp` sent (for replays)."
    )
    max_event_ahead_seconds: float = Field(
        300.0, ge=0, description="A `timestamp` further ahead of its arrival is not believed, and counted."
    )
    windows: Annotated[tuple[int, ...], NoDecode] = Field(
        (1_000, 10_000), description="Rows of the sliding windows; the largest is the main one."
    )
    time_windows: Annotated[tuple[str, ...], NoDecode] = Field(
        ("2m", "1h", "24h"), description="Times that further windows reach back (s, m, h, d), for people to read."
    )
    max_age_seconds: float = Field(
        86_400.0,
        gt=0,
        allow_inf_nan=False,
        description="Age from which on a row is no longer part of a window of a number of rows.",
    )
    psi_threshold_warning: float = Field(
        0.1, gt=0, description="PSI, less its noise, from which drift that is real is big: a warning."
    )
    psi_threshold_critical: float = Field(
        0.2, gt=0, description="PSI, less its noise, from which drift that is real is critical."
    )
    psi_thresholds_by_feature: Annotated[dict[str, tuple[float, float]], NoDecode] = Field(
        default_factory=dict,
        description="The two PSI thresholds of single columns, e.g. temp=0.3:0.5,dewp=0.2:0.4.",
    )
    false_alarm_rows: float = Field(
        1e6,
        ge=1_000,
        le=1e15,
        description="Rows that pass, on average at least, until evidence raises a false alarm in any column.",
    )
    false_alarm_interval_seconds: float | None = Field(
        None,
        ge=3_600,
        allow_inf_nan=False,
        description="The same as a time, at the rate of the last day; counts from an hour after the start.",
    )
    evidence_tolerance_ratio: float = Field(
        0.02,
        ge=0,
        le=1,
        description="Drift that is none to evidence, in standard deviations, or in parts of a bin's share.",
    )
    missing_threshold_warning: float = Field(
        0.05, gt=0, le=1, description="Missing ratio above the reference's own from which it is a warning."
    )
    missing_threshold_critical: float = Field(
        0.1, gt=0, le=1, description="Missing ratio above the reference's own from which it is critical."
    )
    unseen_threshold_warning: float = Field(
        0.01, gt=0, le=1, description="Ratio of unseen values above the expected from which it is a warning."
    )
    unseen_threshold_critical: float = Field(
        0.05, gt=0, le=1, description="Ratio of unseen values above the expected from which it is critical."
    )
    latency_threshold_warning_seconds: float = Field(
        0.5, gt=0, lt=5, description="Latency from which on its 95th percentile is a warning."
    )
    latency_threshold_critical_seconds: float = Field(
        1.0, gt=0, lt=5, description="Latency from which on its 95th percentile is critical."
    )
    error_budget_ratio: float = Field(
        0.001, gt=0, lt=1, description="Share of predict requests that may fail: 0.001 promises 99.9 %."
    )
    evaluation_stale_seconds: float = Field(
        120.0, gt=0, description="Age of the last evaluation from which its verdict is stale."
    )
    evaluation_interval_seconds: float = Field(
        5.0, gt=0, description="Time between evaluations when nobody reads the status or the metrics."
    )
    evaluation_rest_factor: float = Field(
        50.0, ge=0, description="An evaluation starts no sooner than this many times the CPU time of the last one."
    )
    evaluation_wait_seconds: float = Field(
        1.0,
        gt=0,
        le=60,
        description="Time within which `/metrics` and `/drift/status` answer, with the last report if need be.",
    )

    metrics_bin_rows: bool = Field(
        True,
        description="Expose the rows of each bin, which the fleet's PSI is made of: up to a quarter of series.",
    )
    metrics_top_features: int | None = Field(
        None, ge=0, description="Expose the drift of so many features only, the worst, and of the prediction."
    )

    @field_validator("windows", "time_windows", "trusted_types", "allowed_hosts", "allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("log_level", "log_format", "clock", mode="before")
    @classmethod
    def _small(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("psi_thresholds_by_feature", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.strip().rpartition("=") for part in value.split(",") if part.strip()]
        if any(not name or ":" not in pair for name, _, pair in parts):
            raise ValueError("write COLUMN=WARNING:CRITICAL, e.g. temp=0.3:0.5,dewp=0.2:0.4")
        return {name.strip(): tuple(pair.split(":")) for name, _, pair in parts}

    @field_validator("psi_thresholds_by_feature")
    @classmethod
    def _rising(cls, value: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for name, (warning, critical) in value.items():
            if not 0.0 < warning <= critical < math.inf:
                raise ValueError(f"{name}: {warning:g}:{critical:g} must be above 0, the second not below the first")
        return value

    @field_validator("windows")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or min(value) < 1:
            raise ValueError("give at least one window of at least 1 row, e.g. 1000,10000")
        if max(value) > MAX_WINDOW_ROWS:
            raise ValueError(f"a window of {max(value)} rows is too large to hold: give at most {MAX_WINDOW_ROWS}")
        return tuple(sorted(set(value)))

    @field_validator("time_windows")
    @classmethod
    def _by_length(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        spans = sorted({TimeSpan.named(text).seconds: text for text in value}.items())
        return tuple(text for _, text in spans)

    @model_validator(mode="after")
    def _ordered(self) -> Settings:
        for name in LEVELLED:
            warning, critical = name.format("warning"), name.format("critical")
            if getattr(self, critical) < getattr(self, warning):
                raise ValueError(f"{critical} must not be below {warning}")
        if self.workers > 1 and self.clock == "event":
            raise ValueError("workers: clock=event replays rows in their order, which takes one worker")
        if self.max_pending_bytes < self.max_body_bytes:
            raise ValueError("max_pending_bytes: below max_body_bytes, so that the largest body would never be read")
        if self.evaluation_stale_seconds <= self.evaluation_interval_seconds:
            raise ValueError("evaluation_stale_seconds must be longer than evaluation_interval_seconds")
        return self

    @property
    def state_folder(self) -> Path | None:
        """Where state is kept: as `state_dir` says, else beside the bundle; None for in memory."""
        if self.state_dir == IN_MEMORY:
            return None
        if self.state_dir is not None or self.bundle is None:
            return self.state_dir
        bundle = self.bundle.resolve()
        return bundle.parent / f"{bundle.name or 'bundle'}.state"


def load(flags: Mapping[str, Any] | None = None, config: Path | None = None) -> Settings:
    """Return the settings from flags, environment and TOML file; flags that are None are not set.

    The file is `config` or the one that DRIFTGAUGE_CONFIG names. Raises SettingsError.
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
    """Return the variables of our prefix that are no settings: Kubernetes sets them for a Service named driftgauge."""
    return service_links(os.environ, ENVIRONMENT_PREFIX)


def _refuse_unknown_variables(names: Collection[str]) -> None:
    known = {CONFIG_VARIABLE, *map(variable, Settings.model_fields)}
    unknown = sorted(name for name in names if name.upper().startswith(ENVIRONMENT_PREFIX) and name not in known)
    if unknown:
        raise SettingsError(f"unknown in the environment: {', '.join(unknown)}; {_advice(unknown[0])}")


def _advice(name: str) -> str:
    """Return what to set in place of an unknown variable, or where to find it."""
    like = nearest(name[len(ENVIRONMENT_PREFIX) :].lower(), ["config", *Settings.model_fields])
    return f"did you mean {variable(like)}?" if like else "docs/settings.md lists the known ones"


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"the settings file {path} is not TOML: {error}") from error
