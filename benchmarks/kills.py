"""Whether a fit survives being killed: `python -m benchmarks.kills`.

Fits every embedder with `checkpoint` in a process that is killed after a random time, calls the
same fit again until it ends, and compares the embedding with that of a fit that nobody killed.
Tells how many kills there were, how many hit a file that was being written, how many epochs a kill
cost at most, and in how many numbers the embeddings differed.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from skorch.callbacks import Callback

from benchmarks._settings import NOISE
from benchmarks._timing import one_thread, record, table
from skfer import (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
from skfer.datasets import make_expressions

STOPPING = {"early_stopping": True, "schedule": "constant", "validation_fraction": 0.2}
CASES: dict[str, Callable[..., Any]] = {
    "cross-entropy": CrossEntropyEmbedder,
    "multi-threshold, early stopping": lambda **k: MultiThresholdEmbedder(**k, **STOPPING),
    "triplet-center": TripletCenterEmbedder,
    "Gaussian, sub-classes": lambda **k: GaussianMetricEmbedder(max_subclasses=3, **k),
    "Gaussian, unlabeled": GaussianMetricEmbedder,
}


class Tell(Callback):
    """Writes a line when an epoch begins."""

    path: Path  # no parameter: a fit is the same wherever it is told of

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Write which one."""
        with open(self.path, "a") as file:
            print(len(net.history), file=file)


class Runs:
    """The fits of one case, in processes of their own."""

    def __init__(self, name: str, folder: Path, epochs: int) -> None:
        faces = make_expressions(12, 1, image_size=24, random_state=0)
        self.images, self.target = faces.images, faces.target.copy()
        if name.endswith("unlabeled"):
            self.target[::2] = -1
        self.make, self.folder, self.epochs = CASES[name], folder, epochs

    def start(self, name: str) -> int:
        """Fit in a forked process; return its number."""
        process = os.fork()
        if process == 0:
            try:
                self._fit(name)
                os._exit(0)
            finally:
                os._exit(1)
        return process

    def _fit(self, name: str) -> None:
        model = self.make(
            random_state=0,
            checkpoint=self.folder / name,
            callbacks=[self._tell(name)],
            **NOISE | {"max_epochs": self.epochs, "average_weights": 0.5},
        )
        with one_thread():
            Z = model.fit(self.images, self.target).transform(self.images)
        np.save(self.folder / f"{name}.npy", Z)

    def _tell(self, name: str) -> Tell:
        tell = Tell()
        tell.path = self.folder / f"{name}.epochs"
        return tell

    def whole(self) -> float:
        """Fit without a kill; return the seconds that it took."""
        start = time.perf_counter()
        _, status = os.waitpid(self.start("whole"), 0)
        assert status == 0
        return time.perf_counter() - start

    def killed(self, kills: int, seconds: float, rng: np.random.RandomState) -> list[int]:
        """Kill fits at random moments until there were so many kills.

        Returns kills, kills while writing, most epochs lost, fits and numbers that differed.
        """
        n = n_writing = n_fits = n_other = lost = 0
        expected = np.load(self.folder / "whole.npy")
        while n < kills:
            name, begun = f"killed{n_fits}", []
            process = self.start(name)
            while n < kills and self._survives(process, name, len(begun), seconds, rng):
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
                n += 1
                for part in self.folder.glob(f"{name}/*.part"):
                    n_writing += 1
                    part.unlink()
                lost = max(lost, _lost(begun, self._epochs(name)))
                begun = self._epochs(name)
                process = self.start(name)
            if n == kills:
                os.waitpid(process, 0)
            lost = max(lost, _lost(begun, self._epochs(name)))
            n_fits += 1
            n_other += int((np.load(self.folder / f"{name}.npy") != expected).sum())
        return [n, n_writing, lost, n_fits, n_other]

    def _survives(
        self, process: int, name: str, n_before: int, seconds: float, rng: np.random.RandomState
    ) -> bool:
        """Wait for some epochs, and a part of one; say whether the process still runs then."""
        n_epochs, rest = rng.randint(4), rng.uniform(0, seconds / self.epochs)
        while len(self._epochs(name)) - n_before < n_epochs:
            if os.waitpid(process, os.WNOHANG)[0]:
                return False
            time.sleep(0.001)
        time.sleep(rest)
        return not os.waitpid(process, os.WNOHANG)[0]

    def _epochs(self, name: str) -> list[int]:
        path = self.folder / f"{name}.epochs"
        return list(map(int, path.read_text().split())) if path.exists() else []


def _lost(before: list[int], now: list[int]) -> int:
    """Return how many epochs were begun again after a kill."""
    if not before or len(now) == len(before):
        return 0
    return before[-1] + 1 - now[len(before)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    arguments = parser.parse_args()
    rng = np.random.RandomState(0)
    rows, odd = [], 0
    for name in CASES:
        with tempfile.TemporaryDirectory() as folder:
            runs = Runs(name, Path(folder), arguments.epochs)
            found = runs.killed(-(-arguments.kills // len(CASES)), runs.whole(), rng)
        odd += found[-1] + max(0, found[2] - 1)
        rows.append([name, *map(str, found)])
        print(rows[-1], flush=True)
    header = ["fit", "kills", "while writing", "most epochs lost", "fits", "numbers that differ"]
    text = table(header, rows)
    print(text)
    if arguments.write:
        record("Kills (`python -m benchmarks.kills`)", text)
    return odd > 0


if __name__ == "__main__":
    sys.exit(main())
