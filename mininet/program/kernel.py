"""What is asked of the Linux kernel directly."""

from __future__ import annotations

import ctypes
import signal

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(how: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent ends, however that happens."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(how), 0, 0, 0)
