"""The routes of versions: load one while the server runs, list them, go back to one, end a shadow."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from driftgauge.common.schema_errors import LINE
from driftgauge.edges.http.access import caller_of
from driftgauge.edges.http.errors import json_response
from driftgauge.edges.http.releases import LONGEST_TEXT, Releases
from driftgauge.edges.http.small_body import Body, read_body
from driftgauge.errors import Reason, Refused
from driftgauge.releases.release import Cause, Kind

MOST_BODY_BYTES: Final = 65_536
UNKNOWN: Final = "unknown"
"""Who asks for a change without a name."""
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=LONGEST_TEXT, pattern=LINE)]
"""Texts of the history go to terminals: one line, without control characters."""


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[Text, Field(min_length=1, description="Why; the history keeps it.")]
    who: Annotated[Text, Field(description="Who asks. With tokens it is the name of the token.")] = ""


class LoadVersion(_Asked):
    """The body of a request to load a version."""

    bundle: Annotated[
        str,
        Field(
            min_length=1,
            max_length=4096,
            description="Folder of the bundle, in one of `bundle_folders`; a relative path counts from the first.",
        ),
    ]
    mode: Annotated[
        Literal["live", "shadow"], Field(description="Whether it answers requests, or predicts the same rows unseen.")
    ] = "live"


class Rollback(_Asked):
    """The body of a request to go back to an earlier version."""

    version: Annotated[Text | None, Field(description="Default: the version that answered before.")] = None


class UnloadShadow(_Asked):
    """The body of a request to end a shadow."""


async def load_version(request: Request) -> Response:
    """Load a version beside the live one, and let it answer once every worker is ready; nothing changes otherwise."""
    asked = await _body(request, LoadVersion)
    kind = Kind.LOAD if asked.mode == "live" else Kind.SHADOW
    changed = await releases_of(request).load(_model(request), asked.bundle, kind, _cause(request, asked))
    return json_response(changed)


async def list_versions(request: Request) -> Response:
    """List the versions of a model, its history, and how each release compares with the one before."""
    return json_response(await releases_of(request).status(_model(request)))


async def roll_back(request: Request) -> Response:
    """Let an earlier version answer again, by default the one before the live one."""
    asked = await _body(request, Rollback)
    changed = await releases_of(request).roll_back(_model(request), asked.version, _cause(request, asked))
    return json_response(changed)


async def unload_version(request: Request) -> Response:
    """End a shadow; its state is kept for `retired_state_seconds`."""
    asked = await _body(request, UnloadShadow)
    version = request.path_params["model_version"]
    return json_response(await releases_of(request).unload(_model(request), version, _cause(request, asked)))


def releases_of(request: Request) -> Releases:
    """Return the releases of the server; Refused if it does not keep any."""
    releases: Releases | None = getattr(request.app.state, "releases", None)
    if releases is None:
        raise Refused(
            Reason.VERSION_CONFLICT,
            "this server was given its model by a program, so it has no bundle to replace: start it with --bundle",
        )
    return releases


def _model(request: Request) -> str:
    name: str = request.path_params["model_name"]
    return name


def _cause(request: Request, asked: _Asked) -> Cause:
    return Cause(caller_of(request.scope).name or asked.who or UNKNOWN, asked.reason)


async def _body(request: Request, schema: type[Body]) -> Body:
    """Read a small JSON body; Refused if it is none, or has a wrong field."""
    return await read_body(request, schema, MOST_BODY_BYTES, Reason.INVALID_VERSION)


def body_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """Return the documented body of a route."""
    return {"required": True, "content": {"application/json": {"schema": schema.model_json_schema()}}}
