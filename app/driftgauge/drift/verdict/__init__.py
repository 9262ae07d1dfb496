"""Verdicts: windows compared with the baseline, their status and its reason."""
