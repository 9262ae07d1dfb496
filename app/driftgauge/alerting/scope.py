"""The labels that aggregations over replicas keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MODEL: Final = ("model_name", "model_version")


@dataclass(frozen=True)
class Scope:
    """The labels that an aggregation over replicas keeps."""

    by: tuple[str, ...]

    def job(self, *more: str) -> str:
        """Return the labels of a deployment, as PromQL lists them."""
        return ", ".join((*self.by, *more))

    def model(self, *more: str) -> str:
        """Return the labels of a model in a deployment."""
        return self.job(*MODEL, *more)

    def feature(self, *more: str) -> str:
        """Return the labels of a feature of a model."""
        return self.model("feature_name", *more)

    def answering(self, window: str) -> str:
        """Return the part of an expression that leaves out versions which do not answer requests, such as shadows."""
        return f"unless on ({self.model('instance')}) last_over_time(model_live[{window}]) == 0"
