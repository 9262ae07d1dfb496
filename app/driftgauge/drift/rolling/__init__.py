"""The rolling reference: the days before, as a second reference beside the training baseline."""
