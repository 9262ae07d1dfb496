"""Bundles and baselines made from fitted estimators and tables."""
