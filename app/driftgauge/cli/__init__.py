"""The `driftgauge` command; each subcommand is a module."""
