"""Wire formats: bytes of a request to columns, answers to bytes."""
