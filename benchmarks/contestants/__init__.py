"""What benchmarks/serving.py compares: the same model behind each server, as its own documentation shows it."""
