"""Runs the program. Until it has read all of Mininet, there is nothing to take down at ctrl-C."""

import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)

from program import run  # noqa: E402  pylint: disable=wrong-import-position

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
