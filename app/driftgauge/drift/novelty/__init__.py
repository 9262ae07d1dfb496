"""Row novelty: how unlike the reference a single row is."""
