"""Addresses without their secrets."""

from __future__ import annotations

import pytest
from driftgauge.common.addresses import without_password


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("sftp://me:secret@host:22/rows.parquet", "sftp://me@host:22/rows.parquet"),
        ("s3://:se@cret@bucket/key", "s3://@bucket/key"),
        ("S3://key:secret@bucket", "S3://key@bucket"),
        ("s3://key:sec/r@et@bucket/rows.parquet", "s3://key@bucket/rows.parquet"),
        ("s3://bucket/a:b@c/rows.parquet", "s3://bucket/a:b@c/rows.parquet"),
        ("http://host:80/a@b", "http://host:80/a@b"),
        ("rows:a@b.parquet", "rows:a@b.parquet"),
    ],
)
def test_only_the_password_is_left_out(address: str, shown: str) -> None:
    assert without_password(address) == shown
