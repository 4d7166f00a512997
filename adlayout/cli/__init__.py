"""The command line: one file for each command, each with `add` and `run`."""
