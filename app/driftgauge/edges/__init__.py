"""Translation between the outside and the program."""
