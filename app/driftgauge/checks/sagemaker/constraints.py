"""`constraints.json`: what SageMaker's model monitor asks of each column, and how it compares distributions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AliasChoices, Field, model_validator

from driftgauge.checks.sagemaker.documents import Document, Number
from driftgauge.checks.sagemaker.statistics import InferredType

Switch = Literal["Enabled", "Disabled"]
Method = Literal["Simple", "Robust"]
CategoricalMethod = Literal["LInfinity", "ChiSquared"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]

COMPARISON_THRESHOLD: Final = 0.1
"""The distance that SageMaker allows where a file does not say."""


class DistributionConstraints(Document):
    """How distributions are compared; what is absent is as elsewhere in the file."""

    perform_comparison: Switch | None = None
    comparison_threshold: Annotated[float | None, Field(ge=0.0)] = None
    comparison_method: Method | None = Field(
        default=None, validation_alias=AliasChoices("comparison_method", "comparion_method")
    )
    categorical_comparison_threshold: Annotated[float | None, Field(ge=0.0)] = None
    categorical_drift_method: CategoricalMethod | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_old(cls, content: Any) -> Any:
        """Read `enable_comparisons`, the name in files of 2019."""
        if isinstance(content, Mapping) and isinstance(content.get("enable_comparisons"), bool):
            switch = "Enabled" if content["enable_comparisons"] else "Disabled"
            return {"perform_comparison": switch, **content}
        return content


class MonitoringConfig(Document):
    """How constraints are evaluated, of all columns or of one; what is absent is as elsewhere in the file."""

    evaluate_constraints: Switch | None = None
    emit_metrics: Switch | None = None
    datatype_check_threshold: Share | None = None
    domain_content_threshold: Share | None = None
    distribution_constraints: DistributionConstraints = DistributionConstraints()


class NumberConstraints(Document):
    """What is asked of a column of numbers."""

    is_non_negative: bool | None = None


class TextConstraints(Document):
    """What is asked of a column of text."""

    domains: tuple[str, ...] | None = None
    overrides: MonitoringConfig | None = Field(
        default=None,
        alias="monitoring_config_overrides",
        validation_alias=AliasChoices("monitoring_config_overrides", "monitoringConfigOverrides"),
    )


class FeatureConstraints(Document):
    """What is asked of a column."""

    name: str
    inferred_type: InferredType = "Unknown"
    completeness: Number = None
    num_constraints: NumberConstraints | None = None
    string_constraints: TextConstraints | None = None
    overrides: MonitoringConfig | None = Field(
        default=None,
        alias="monitoringConfigOverrides",
        validation_alias=AliasChoices("monitoringConfigOverrides", "monitoring_config_overrides"),
    )

    @property
    def domains(self) -> tuple[str, ...] | None:
        """The values that a column of text may have; None for any."""
        own = self.string_constraints
        return None if own is None or not own.domains else own.domains


class Constraints(Document):
    """The content of `constraints.json`."""

    version: float = 0.0
    features: tuple[FeatureConstraints, ...]
    monitoring_config: MonitoringConfig = MonitoringConfig()

    def rules(self, feature: FeatureConstraints) -> Rules:
        """Return the rules that hold for a column: its own overrides, then those of the file, then the defaults."""
        text = feature.string_constraints
        layers = [self.monitoring_config, feature.overrides, None if text is None else text.overrides]
        merged: dict[str, Any] = {}
        for layer in layers:
            if layer is not None:
                own = layer.model_dump(exclude_none=True, by_alias=False)
                merged |= {**own, **own.pop("distribution_constraints", {})}
        merged.pop("distribution_constraints", None)
        merged.pop("emit_metrics", None)
        for name in ("evaluate_constraints", "perform_comparison"):
            merged[name] = merged.get(name) != "Disabled"
        return Rules(**merged)


@dataclass(frozen=True)
class Rules:
    """How the constraints of one column are evaluated."""

    evaluate_constraints: bool = True
    datatype_check_threshold: float = 1.0
    """Smallest share of the cells that must have the type."""
    domain_content_threshold: float = 1.0
    """Smallest share of the cells that must be known values."""
    perform_comparison: bool = True
    comparison_threshold: float = COMPARISON_THRESHOLD
    comparison_method: Method = "Robust"
    categorical_comparison_threshold: float | None = None
    """None for that of numbers."""
    categorical_drift_method: CategoricalMethod = "LInfinity"
