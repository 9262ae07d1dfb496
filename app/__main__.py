"""`python -m app` is the `driftgauge` command."""

from app.cli import main

main()
