"""docs/assertions.md: its assertions, its suite and its test are run."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from driftgauge.checks.assertions.functions import FUNCTIONS
from driftgauge.checks.assertions.suite import assertion_of, suite

from tests.pages import page

PAGE = page("docs", "assertions.md")


def block(language: str) -> str:
    """Return the first block of a language."""
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


LANGUAGE = PAGE.partition("## The language")[2].partition("## Functions")[0]
WRITTEN = re.findall(r'--assert "([^"…]+)"', PAGE) + re.findall(r"^\| `([^`]+)` \|", LANGUAGE, flags=re.MULTILINE)


@pytest.mark.parametrize("text", WRITTEN)
def test_each_assertion_of_the_page_is_one(text: str) -> None:
    assert assertion_of(text).text == text


def test_the_page_lists_every_function_once() -> None:
    listed = re.findall(r"^\| (?:table|columns|drift|performance) \| `(\w+)", PAGE, flags=re.MULTILINE)
    assert listed == [one.name for one in FUNCTIONS]


def test_the_suite_of_the_page_is_one(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(block("yaml"), "utf-8")
    found = suite(tmp_path / "suite.yaml")
    assert (found.name, len(found.assertions), found.truth.label) == ("nightly delivery", 3, "churned")
    assert found.assertions[2].severity == "warning"


def test_the_test_of_the_page_fails_with_the_values_of_a_bad_delivery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(block("python"), names)  # noqa: S102  # the page's own code
    delivered = pd.DataFrame({"age": [31.0] * 1_000, "customer": range(1_000)})
    delivered.to_parquet("delivery.parquet")
    test = names["test_the_delivery_is_complete"]
    assert callable(test)
    test()
    delivered.assign(age=None, customer=1).to_parquet("delivery.parquet")
    with pytest.raises(AssertionError) as failed:
        test()
    assert str(failed.value).splitlines()[:2] == ["missing(age) <= 0.05: it is 1", "unique(customer) == 1: it is 0.001"]
