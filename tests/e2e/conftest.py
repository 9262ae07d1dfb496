"""What tests of processes share."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import httpx
import pytest


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give a file system of a server that speaks S3, of which the environment says the address."""
    server_of = import_module("moto.server").ThreadedMotoServer
    s3fs = import_module("s3fs")
    server = server_of(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    given = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in {**given, "AWS_ENDPOINT_URL": address}.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()  # those of this process have the address of an earlier server
    system = s3fs.S3FileSystem(endpoint_url=address, skip_instance_cache=True)
    # Servers of one process share their buckets.
    httpx.post(f"{address}/moto-api/reset", timeout=60.0).raise_for_status()
    system.mkdir("bucket")
    yield system
    server.stop()
