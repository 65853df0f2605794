"""The lines that `verbose` prints, in colors where these are shown."""

import os
import re
import sys
from typing import Any

from skorch.callbacks import PrintLog

_COLOR = re.compile(r"\x1b\[[0-9;]*m")


class EpochLog(PrintLog):
    """skorch's line for each epoch, without the codes of colors in files and pipes."""

    only_watches = True

    def __init__(self) -> None:
        super().__init__(sink=_say)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Print a line of what the history says, if the net is to tell of itself."""
        if net.verbose:  # which a sink of one's own is not asked for
            super().on_epoch_end(net, **kwargs)


def _say(text: str) -> None:
    print(text if _shows_colors() else _COLOR.sub("", text), flush=True)


def _shows_colors() -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    is_of_notebook = type(sys.stdout).__module__.partition(".")[0] == "ipykernel"
    return is_of_notebook or bool(sys.stdout and sys.stdout.isatty())
