"""Speed and the quality of the statistics, measured: scripts that print the tables of README.md."""
