from __future__ import annotations

import pytest
from driftgauge.errors import RegistryError
from driftgauge.registry.address import Address, is_address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("models:/churn@champion", Address("churn", alias="champion")),
        ("models:/churn/3", Address("churn", version="3")),
        ("models:/a model.v2@blue-green_1", Address("a model.v2", alias="blue-green_1")),
    ],
)
def test_an_address_names_a_version_by_number_or_alias(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == text
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    ["models:/churn", "models:/churn@", "models:/churn/latest", "models:/churn@a/3", "runs:/1/model", "", "models:/@a"],
)
def test_another_text_is_refused_with_the_forms_that_there_are(text: str) -> None:
    with pytest.raises(RegistryError, match="give models:/NAME@ALIAS or models:/NAME/VERSION"):
        parse_address(text)


def test_a_folder_is_no_address() -> None:
    assert not is_address("bundles/churn")
    assert not is_address(None)
