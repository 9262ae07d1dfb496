"""Tables compared with a baseline offline, with the statistics of the server."""
