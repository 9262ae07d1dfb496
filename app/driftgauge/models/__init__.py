"""A model loaded from its bundle, the rows it takes, and its predictions."""
