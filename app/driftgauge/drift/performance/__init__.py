"""Performance of a model from ground truth, and its estimate before ground truth comes."""
