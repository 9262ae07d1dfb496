"""Statistics of a window: PSI, distances, p-values and correlations."""
