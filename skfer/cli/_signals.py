"""Signals that ask a command to end: what was done until then is told, as after Ctrl-C."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from skfer.cli.exit_codes import HUNG_UP, TERMINATED

_CODES = {"SIGTERM": TERMINATED, "SIGHUP": HUNG_UP}  # Windows has no SIGHUP


class AskedToEnd(KeyboardInterrupt):
    """A signal came that would have killed the process, without a word.

    Parameters
    ----------
    name : str
        Of the signal.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name
        self.code = _CODES[name]


@contextlib.contextmanager
def raised_by_signals() -> Iterator[None]:
    """Let signals that would kill the process raise `AskedToEnd` instead, in the main thread.

    One that is ignored, as under nohup, or that the calling program handles, is left to it. Once
    one came further ones are ignored, since `timeout` sends two.
    """
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in _CODES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.SIG_DFL

    def end(number: int, frame: FrameType | None) -> None:
        for other in before:
            signal.signal(other, signal.SIG_IGN)
        raise AskedToEnd(signal.Signals(number).name)

    try:
        for number in before:
            signal.signal(number, end)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_workers() -> None:
    """End the processes that train for this one, if there are any: nobody waits for them."""
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    executor = getattr(loky, "_executor", None)
    if executor is not None:
        executor.shutdown(wait=False, kill_workers=True)
