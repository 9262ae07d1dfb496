"""Reading and writing the JSON documents of SageMaker's model monitor."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from driftgauge.common.schema_errors import explain
from driftgauge.errors import BaselineError

CONSTRAINTS_FILE: Final = "constraints.json"
MOST_BYTES: Final = 256 << 20
"""Largest document that is read."""

Content = TypeVar("Content", bound="Document")


def _number(value: Any) -> Any:
    """Return None for the spellings of an unknown number that Spark writes."""
    unknown = value == "NaN" or (isinstance(value, float) and math.isnan(value))
    return None if unknown else value


Number = Annotated[float | None, BeforeValidator(_number)]
"""A number; None where it is unknown."""


class Document(BaseModel):
    """A part of a document; keys that are unknown are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, serialize_by_alias=True)


def parse_document(content: bytes, kind: type[Content], label: str) -> Content:
    """Return the document that bytes hold; BaselineError names it by its label."""
    try:
        return kind.model_validate(orjson.loads(content))
    except orjson.JSONDecodeError as error:
        raise BaselineError(f"{label} is not JSON ({error}): give the file as SageMaker wrote it") from error
    except ValidationError as error:
        raise BaselineError(f"{label} is malformed: {explain(error)}") from error


def document_bytes(document: Document) -> bytes:
    """Return the document as indented JSON, without the parts that are unknown."""
    return orjson.dumps(document.model_dump(mode="json", exclude_none=True), option=orjson.OPT_INDENT_2) + b"\n"
