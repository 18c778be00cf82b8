"""The wire to `turbokv mininet up`, which started this program and does all but Mininet's part."""

from __future__ import annotations

import json
import os
import signal
import threading
from typing import Mapping


class Front:
    """Two pipes: one to tell the front what was built, one on which it says when all is ready."""

    def __init__(self, reports: int, orders: int) -> None:
        """Take the descriptors of both."""
        for each in (reports, orders):
            os.set_inheritable(each, False)
        self._reports = reports
        self._orders = os.fdopen(orders, "r")

    def report(self, namespaces: Mapping[str, str], processes: Mapping[str, int]) -> None:
        """Tell what was built: paths of namespaces by place, process ids by name."""
        with os.fdopen(self._reports, "w") as out:
            json.dump({"namespaces": namespaces, "processes": processes}, out)

    def await_ready(self) -> bool:
        """Wait until the front says that all is ready; if it ends before, return False.

        From then on this program is asked to stop when the front ends.
        """
        if not self._orders.readline():
            return False
        threading.Thread(target=self._follow, daemon=True).start()
        return True

    def _follow(self) -> None:
        self._orders.read()
        os.kill(os.getpid(), signal.SIGTERM)
