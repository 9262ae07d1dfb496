from __future__ import annotations

import gc

import pytest
from driftgauge.edges.http.fast_path import FastPathApp
from driftgauge.edges.http.lifespan import prepared
from driftgauge.main import create_app

from tests.examples import Example, quiet


def test_a_prepared_server_has_its_document_and_no_objects_to_scan(
    binary: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(quiet(root_path="/proxy"), bundle=binary.bundle)
    assert isinstance(app, FastPathApp)
    with prepared(app):
        assert len(gc.get_objects()) < gc.get_freeze_count()
        monkeypatch.setattr(app, "openapi", None)  # it is not built again
        assert b'"servers":[{"url":"/proxy"}]' in app.document("/proxy")
    assert gc.get_freeze_count() == 0
