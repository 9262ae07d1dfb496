"""Large JSON bodies, parsed and written in parts."""
