"""The files of SageMaker's model monitor, read as a baseline and written from a check."""
