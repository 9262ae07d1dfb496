"""Processes of a server: the supervisor, the fork server and the workers."""
