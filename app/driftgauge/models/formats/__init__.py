"""Formats of models: one module each, behind one protocol; a library is imported only when a bundle needs it."""
