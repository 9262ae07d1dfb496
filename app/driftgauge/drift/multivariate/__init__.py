"""Whole rows compared: can a classifier tell the window's from the reference's, and do their correlations hold."""
