from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from driftgauge.drift.verdict.policy import STATISTICS, ColumnPolicy
from driftgauge.errors import SettingsError
from driftgauge.settings.features import FeatureSettings
from driftgauge.settings.options import load

Toml = Callable[[str], Path]


FILE = """
psi_threshold_warning = 0.15

[features.temp]
alert = false

[features."mean area"]
thresholds = {psi = [0.1, 0.2], missing = [0.3, 0.3]}
tolerance = 0.05
kind = "numeric"

[features."Größe, \\"cm\\".µ = 1"]
monitor = false
thresholds.unseen = [0.5, 1]
"""


def test_a_file_has_a_table_for_each_column_whatever_its_name(toml: Toml) -> None:
    settings = load(config=toml(FILE))
    assert {name: own.policy for name, own in settings.features.items()} == {
        "temp": ColumnPolicy(alert=False),
        "mean area": ColumnPolicy(psi_thresholds=(0.1, 0.2), missing_thresholds=(0.3, 0.3), tolerance=0.05),
        'Größe, "cm".µ = 1': ColumnPolicy(monitor=False, unseen_thresholds=(0.5, 1.0)),
    }
    assert settings.features["mean area"].kind == "numeric"
    assert settings.psi_threshold_warning == 0.15


def test_a_table_without_keys_changes_nothing() -> None:
    assert FeatureSettings().policy == ColumnPolicy()


PAIR = "[warning, critical]: two numbers above 0, the second not below the first"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("alrt = false", 'features."mean area": unknown key alrt; did you mean alert?'),
        (
            "colour = 1",
            'features."mean area": unknown key colour; it takes monitor, alert, statistic, thresholds, tolerance, kind',
        ),
        ("thresholds = {pis = [1, 2]}", 'features."mean area".thresholds: unknown key pis; did you mean psi?'),
        (
            "thresholds = {anova = [1, 2]}",
            'features."mean area".thresholds: unknown key anova; it takes '
            + ", ".join(("psi", "missing", "unseen", *STATISTICS[1:])),
        ),
        ("thresholds = {ks = [2, 1]}", f'features."mean area".thresholds.ks: [2, 1] cannot be used: give {PAIR}'),
        (
            'statistic = "anova"',
            "features.\"mean area\".statistic: 'anova' cannot be used: give one of psi, ks, wasserstein, js, kl, chi2",
        ),
        (
            "thresholds = {chi2 = [0.5, 1]}",
            'features."mean area".thresholds.chi2: [0.5, 1] cannot be reached: both must be below 1',
        ),
        (
            "thresholds = {psi = [2, 1]}",
            f'features."mean area".thresholds.psi: [2, 1] cannot be used: give {PAIR}',
        ),
        ("thresholds = {psi = [nan, 1]}", f'features."mean area".thresholds.psi: [nan, 1] cannot be used: give {PAIR}'),
        ("thresholds = {psi = [0, 1]}", f'features."mean area".thresholds.psi: [0, 1] cannot be used: give {PAIR}'),
        (
            "thresholds = {missing = [0.5, 1.5]}",
            'features."mean area".thresholds.missing: [0.5, 1.5] cannot be used: ratios are at most 1',
        ),
        (
            "thresholds = {unseen = [2, 2]}",
            'features."mean area".thresholds.unseen: [2, 2] cannot be used: ratios are at most 1',
        ),
        ("thresholds = {psi = 0.1}", f'features."mean area".thresholds.psi: 0.1 cannot be used: give {PAIR}'),
        ("thresholds = {psi = [0.1]}", f'features."mean area".thresholds.psi: [0.1] cannot be used: give {PAIR}'),
        (
            "thresholds = {psi = ['a', 2]}",
            f"features.\"mean area\".thresholds.psi: 'a' cannot be used: give {PAIR}",
        ),
        ("thresholds = 0.1", 'features."mean area".thresholds: 0.1 cannot be used: give a table'),
        ("tolerance = 2", 'features."mean area".tolerance: 2 cannot be used: give a number from 0 to 1'),
        ("monitor = 'maybe'", "features.\"mean area\".monitor: 'maybe' cannot be used: give true or false"),
        ("kind = 'text'", "features.\"mean area\".kind: 'text' cannot be used: give numeric or categorical"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_column_and_key(table: str, words: str, toml: Toml) -> None:
    with pytest.raises(SettingsError) as refused:
        load(config=toml(f'[features."mean area"]\n{table}\n'))
    assert str(refused.value) == words


def test_every_wrong_key_is_named(toml: Toml) -> None:
    with pytest.raises(SettingsError) as refused:
        load(config=toml("[features.a]\ntolerance = -1\nalert = 3\n[features.b]\nmonitored = true\n"))
    assert str(refused.value).split("; ")[:2] == [
        'features."a".alert: 3 cannot be used: give true or false',
        'features."a".tolerance: -1 cannot be used: give a number from 0 to 1',
    ]
    assert str(refused.value).endswith('features."b": unknown key monitored; did you mean monitor?')


@pytest.mark.parametrize("table", ["temp = 3", "temp = [1]"])
def test_a_column_is_a_table(table: str, toml: Toml) -> None:
    with pytest.raises(SettingsError, match=r'^features\."temp": .* cannot be used: give a table$'):
        load(config=toml(f"[features]\n{table}\n"))


def test_the_environment_gives_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTGAUGE_FEATURES", '{"temp": {"alert": false}')
    with pytest.raises(SettingsError, match=r"is not JSON: give e\.g\. .*alert.*false"):
        load()
    monkeypatch.setenv("DRIFTGAUGE_FEATURES", "")
    assert load().features == {}


def test_the_same_thresholds_cannot_be_given_twice(toml: Toml) -> None:
    path = toml("psi_thresholds_by_feature = 'temp=0.3:0.5'\n[features.temp]\nthresholds.psi = [0.1, 0.2]\n")
    with pytest.raises(SettingsError) as refused:
        load(config=path)
    both = 'psi_thresholds_by_feature and features."temp".thresholds.psi set the same thresholds'
    assert str(refused.value) == f"{both}: leave one of them out"
    path = toml("psi_thresholds_by_feature = 'temp=0.3:0.5'\n[features.temp]\nalert = false\n")
    assert load(config=path).features["temp"].alert is False
