"""Surveys let others have their turns, and end as soon as it is known that a body is refused."""

from __future__ import annotations

import asyncio

import pytest

from app.edges.formats.structure import SLICE_BYTES, Structure, survey
from app.edges.http.slices import Surveys

BODY = b"[" + b",".join([b"1.5"] * 500_000) + b"]"


def accept(structure: Structure) -> None:
    """Refuse nothing."""


def test_a_survey_finds_what_looking_at_once_finds() -> None:
    structure = asyncio.run(Surveys().survey(BODY, accept))

    assert (structure.commas, structure.openings, structure.deepest) == (499_999, 1, 1)
    assert structure.cuts == survey(BODY).cuts


def test_others_have_their_turns_while_bodies_are_surveyed() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def go() -> int:
        surveys, task = Surveys(), asyncio.create_task(others())
        await asyncio.gather(*(surveys.survey(BODY * 4, accept) for _ in range(4)))
        task.cancel()
        return turns

    assert asyncio.run(go()) > 20


def test_a_survey_ends_with_the_slice_that_is_refused() -> None:
    seen: list[int] = []

    def check(structure: Structure) -> None:
        seen.append(structure.bytes)
        if len(seen) == 3:
            raise ValueError("enough")

    surveys = Surveys()
    with pytest.raises(ValueError, match="enough"):
        asyncio.run(surveys.survey(BODY, check))
    assert seen == [SLICE_BYTES, 2 * SLICE_BYTES, 3 * SLICE_BYTES]
    assert asyncio.run(surveys.survey(b"[]", accept)).openings == 1
