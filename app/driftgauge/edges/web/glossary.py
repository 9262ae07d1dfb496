"""Every term of the page in one sentence."""

from __future__ import annotations

from typing import Final

TERMS: Final = {
    "drift": ("Drift", "A change of the data that is both significant and large."),
    "reference": ("Reference", "The data that the model was trained on, or another table that it is compared with."),
    "window": ("Window", "The newest rows, which are compared with the reference; the main window is the largest."),
    "psi": (
        "PSI",
        "Population stability index, minus its noise: how far two distributions are apart; large from its limit on.",
    ),
    "limit": (
        "Limit",
        "The PSI from which a change is large: a setting, or the upper end of the expected range if that is higher.",
    ),
    "expected-range": (
        "Expected range",
        "The PSI that windows of this size have within the reference itself, which “usual up to” states.",
    ),
    "noise": ("Noise", "The PSI that chance alone gives in a window of this size."),
    "evidence": (
        "Evidence",
        "How sure it is that something changed, as a power of ten; significant from its threshold on.",
    ),
    "significant": ("Significant", "Not explained by chance within the budget of false alarms."),
    "severity": (
        "Severity",
        "What a change asks for: critical now, warning soon, info nothing; normal is no significant change.",
    ),
    "missing": ("Missing", "Share of the window's rows without a value."),
    "unseen": ("Unseen", "Share of the window's rows with a value that the reference does not contain."),
    "out-of-range": ("Out of range", "Share of the window's rows below or above all values of the reference."),
    "score": ("Score", "The model's output: a probability, or the predicted value of a regression."),
    "psi-share": ("Share of PSI", "The part of the whole PSI that one bin adds: where the distribution moved."),
    "tau": (
        "Autocorrelation time",
        "The number of consecutive rows that carry the information of one independent row.",
    ),
    "since": ("Since", "When the rows began to differ, as the evidence dates it."),
    "throughput": ("Throughput", "Rows that were predicted and answered each second of the last minutes."),
    "latency": (
        "Latency",
        "Time from a request's arrival until its rows are predicted; 99 % of the requests are faster than p99.",
    ),
    "dropped": ("Dropped", "Rows that were predicted but that monitoring lost."),
}
"""By the anchor of the term: its name and its sentence."""
