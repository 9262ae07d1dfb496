"""Profiles: the rows of a partition in the bins of a baseline, as integers that add up exactly."""
