"""Options of a registry of models, whose alias says which version answers."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, Field

_ALIAS: Final = re.compile(r"[\w.-]{1,255}")
_CREDENTIALS: Final = re.compile(r"//[^/]*@")


def _alias(text: str) -> str:
    if text and not _ALIAS.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not an alias: give its name alone, e.g. champion")
    return text


def _without_credentials(text: str) -> str:
    if _CREDENTIALS.search(text):
        raise ValueError("leave out the password: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")
    return text


class RegistrySettings(BaseModel):
    """The alias of a registered model that a server follows."""

    follow_alias: Annotated[str, AfterValidator(_alias)] = Field(
        "",
        description="Alias of the registered model in MLflow whose version answers, e.g. `champion`: when it moves, "
        "the server loads the version that it names. Default: none is followed.",
    )
    registered_model: str = Field(
        "",
        max_length=256,
        pattern=r"^[^/@:]*$",
        description="Name of the registered model in MLflow. Default: the name of the model.",
    )
    registry_uri: Annotated[str, AfterValidator(_without_credentials)] = Field(
        "", description="Address of the MLflow server. Default: `MLFLOW_TRACKING_URI` and `MLFLOW_REGISTRY_URI`."
    )
    alias_poll_seconds: float = Field(
        30.0, ge=1, le=86_400, description="Time between two questions to MLflow which version the alias names."
    )
    alias_stale_seconds: float = Field(
        600.0, gt=0, le=1e9, description="Time without an answer of MLflow after which an alert is raised."
    )
    record_verdicts: bool = Field(
        True,
        description="Write the verdict of the live version to its run in MLflow when it changes, at most once a "
        "minute. Only with `follow_alias`.",
    )
