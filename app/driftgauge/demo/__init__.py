"""The demo: a model of flight delays and the flights of 2013."""
