"""Ingestion in the style of TrustyAI's service: KServe's events become tensors, and these are appended to HDF5.

A request waits in memory for its response. Then the inputs, the outputs, and a time and an id for each row are
appended to data sets that grow. Nothing is monitored: metrics are computed from the file when they are asked for.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import orjson
from fastapi import FastAPI, Request

CHUNK_ROWS: Final = 1_000
REQUEST: Final = ".request"


def tensor_of(content: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the only tensor of a request or a response, shape [rows, columns]."""
    (tensor,) = content.get("inputs") or content["outputs"]
    return np.array(tensor["data"], dtype=np.float64).reshape(tensor["shape"][0], -1)


class TensorStore:
    """A file of tensors, to which rows are appended."""

    def __init__(self, path: Path) -> None:
        self._file = h5py.File(path, "w")
        self._waiting: dict[str, tuple[str, Any]] = {}

    def event(self, id_: str, kind: str, at: str, content: dict[str, Any]) -> None:
        """Keep one half of an inference, or append both once the other is there."""
        other = self._waiting.pop(id_, None)
        if other is None:
            self._waiting[id_] = kind, content
            return
        request, response = (content, other[1]) if kind.endswith(REQUEST) else (other[1], content)
        inputs, outputs = tensor_of(request), tensor_of(response)
        self._append("inputs", inputs)
        self._append("outputs", outputs)
        ids = [[f"{id_}_{row}", at] for row in range(len(inputs))]
        self._append("metadata", np.array(ids, dtype=h5py.string_dtype()))

    def _append(self, name: str, rows: Any) -> None:
        if name not in self._file:
            chunks, most = (CHUNK_ROWS, rows.shape[1]), (None, rows.shape[1])
            self._file.create_dataset(name, data=rows, chunks=chunks, maxshape=most)
            return
        data = self._file[name]
        first = len(data)
        data.resize(first + len(rows), axis=0)
        data[first:] = rows


def create_app() -> FastAPI:
    """Return the service."""
    app, store = FastAPI(), TensorStore(Path(os.environ["FOLDER"]) / "tensors.h5")

    @app.post("/")
    async def event(request: Request) -> dict[str, str]:
        headers = request.headers
        store.event(headers["ce-id"], headers["ce-type"], headers["ce-time"], orjson.loads(await request.body()))
        return {}

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app
