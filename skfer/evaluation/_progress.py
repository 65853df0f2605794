"""A bar that moves with the epochs of fits that run in other processes."""

import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from skorch.callbacks import Callback

from skfer._bar import tqdm
from skfer._typing import NDArray
from skfer.embedders.fitting._budget import count_epochs

_SECONDS = 0.5  # between two looks


class Ticker(Callback):
    """Appends a byte to a file at the end of an epoch: what any process can do at any time.

    On another machine there is no such file: there, a fit counts when it is done.
    """

    only_watches = True

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Count an epoch."""
        with suppress(OSError), open(self.path, "ab") as file:
            file.write(b".")


def n_epochs(embedder: Any, is_labeled: NDArray[np.bool_]) -> int:
    """How many epochs a fit on such samples is expected to take; 1 for what has none."""
    codes = np.where(is_labeled, 0, -1)
    given = [v for k, v in embedder.get_params().items() if k.endswith("max_epochs")]
    return sum(count_epochs(v, codes) for v in given if isinstance(v, Integral) or v == "auto") or 1


def watched(embedder: Any, path: Path) -> Any:
    """Let an embedder, alone or in a pipeline, count its epochs in a file."""
    lists = {
        name: [*(value or []), Ticker(path)]
        for name, value in embedder.get_params().items()
        if name == "callbacks" or name.endswith("__callbacks")
    }
    return embedder.set_params(**lists)


@contextmanager
def epochs_bar(epochs: Sequence[int]) -> "Iterator[Bar]":
    """Show a bar on stderr for fits of so many epochs, and take it away at the end."""
    with tempfile.TemporaryDirectory(prefix="skfer-") as folder:
        bar = Bar(Path(folder) / "epochs", epochs)
        try:
            yield bar
        finally:
            bar.close()


class Bar:
    """Counts the epochs in a file, from a thread of its own."""

    def __init__(self, path: Path, epochs: Sequence[int]) -> None:
        self.path = path
        self.path.touch()
        self._n_fits, self._n_done = len(epochs), 0
        self._finished = 0  # epochs of fits that are done
        self._bar = tqdm(total=sum(epochs), unit="epoch", leave=False)
        self._tell()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def done(self, epochs: int) -> None:
        """Count a fit as done, whether or not it took all its epochs."""
        self._n_done += 1
        self._finished += epochs
        self._tell()

    def close(self) -> None:
        """Take the bar away."""
        self._end.set()
        self._thread.join()
        self._bar.close()

    def _tell(self) -> None:
        self._bar.set_description(f"training, {self._n_done} of {self._n_fits} fits done")

    def _follow(self) -> None:
        while not self._end.wait(_SECONDS):
            # Fits that stopped early, or have no epochs, are counted when they are done.
            self._bar.n = min(max(self.path.stat().st_size, self._finished), self._bar.total)
            self._bar.refresh()
