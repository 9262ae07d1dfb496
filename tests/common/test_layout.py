from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from driftgauge.common.layout import Field, Layout
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples

ALIGNMENT = 64

unhurried = settings(deadline=None, max_examples=examples(60))

fields = st.lists(
    st.tuples(st.sampled_from(["f8", "i8", "u1", "f4"]), st.lists(st.integers(1, 40), min_size=1, max_size=3)),
    min_size=1,
    max_size=8,
).map(lambda found: [Field(f"field{i}", dtype, tuple(shape)) for i, (dtype, shape) in enumerate(found)])


@unhurried
@given(fields)
def test_fields_do_not_overlap_and_start_on_cache_lines(fields: list[Field]) -> None:
    layout = Layout(fields)
    ends = 0
    for field in fields:
        offset = layout.offsets[field.name]
        assert offset % ALIGNMENT == 0
        assert ends <= offset < ends + ALIGNMENT
        assert field.size_bytes == np.zeros(field.shape, field.dtype).nbytes
        ends = offset + field.size_bytes
    assert ends <= layout.size_bytes < ends + ALIGNMENT


@unhurried
@given(fields, st.integers(0, 1_000))
def test_arrays_keep_their_own_content_and_share_the_buffer(fields: list[Field], seed: int) -> None:
    layout = Layout(fields)
    buffer = bytearray(layout.size_bytes)
    arrays, again = layout.arrays(buffer), layout.arrays(memoryview(buffer))
    generator = np.random.default_rng(seed)
    written: dict[str, npt.NDArray[np.int64]] = {}
    for field in fields:
        written[field.name] = generator.integers(0, 200, field.shape)
        arrays[field.name][:] = written[field.name]
    for field in fields:
        assert (arrays[field.name].shape, arrays[field.name].dtype) == (field.shape, np.dtype(field.dtype))
        np.testing.assert_array_equal(arrays[field.name], written[field.name])
        np.testing.assert_array_equal(again[field.name], written[field.name])


def test_a_buffer_that_is_too_small_is_refused() -> None:
    layout = Layout([Field("a", "f8", (10,)), Field("b", "f8", (10,))])
    with pytest.raises(ValueError, match="buffer"):
        layout.arrays(bytearray(layout.size_bytes - ALIGNMENT))
