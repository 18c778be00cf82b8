"""Where Mininet's messages go."""

from __future__ import annotations

import logging
import sys

from mininet.log import MininetLogger, StreamHandlerNoNewline


class _Separate(StreamHandlerNoNewline):
    """Writes what was asked for to standard output, and what went wrong to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        self.setStream(sys.stderr if record.levelno >= logging.WARNING else sys.stdout)
        super().emit(record)


def separate(log: MininetLogger) -> None:
    """Have a log of Mininet use both; by default all of it goes to standard error."""
    for handler in list(log.handlers):
        log.removeHandler(handler)
    handler = _Separate()
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(handler)
