"""Data quality: constraints on the rows, and which rows violate them."""
