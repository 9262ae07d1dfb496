"""`python -m driftgauge` is the `driftgauge` command."""

from driftgauge.cli.main import main

main()
