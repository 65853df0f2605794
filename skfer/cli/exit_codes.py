"""What the exit code of a command tells whoever calls it."""

INCOMPLETE = 1
"""A data set is not as published."""
UNUSABLE = 1
"""Some pictures could not be used."""
FAILED = 2
"""The call or the data is wrong."""
BROKEN = 3
"""skfer itself is."""
HUNG_UP = 129
"""The terminal has gone (SIGHUP)."""
INTERRUPTED = 130
"""Ctrl-C."""
READER_GONE = 141
"""The reader of the output has gone."""
TERMINATED = 143
"""It was asked to end (SIGTERM), as by a scheduler or `timeout`."""
