"""The screen of the nearest references on a GPU."""

import sys
from typing import Any

import numpy as np

from skfer.metrics._screen import FAR, Screen
from skfer.metrics._task import RetrievalTask

# From so many products of numbers on, a GPU pays, and importing torch to look for one does.
_WORTH_THE_WAY = 2**33
_WORTH_A_LOOK = 2**38


def make_screen(task: RetrievalTask, depth: int, precision: type[np.floating]) -> Screen:
    """Make a screen on a GPU if there is one and much to do, else on the processor."""
    work = len(task.query) * task.reference.size
    if work >= (_WORTH_THE_WAY if "torch" in sys.modules else _WORTH_A_LOOK):
        import torch

        # A product in reduced precision, which may be set for all of torch, would tell nothing.
        exact = precision is np.float64 or torch.get_float32_matmul_precision() == "highest"
        if exact and torch.cuda.is_available():
            try:
                return TorchScreen(task, depth, precision, torch.device("cuda"))
            except RuntimeError:  # out of memory, or a process that was forked from one with a GPU
                pass
    return Screen(task, depth, precision)


class TorchScreen(Screen):
    """The same by torch, on a device.

    Parameters
    ----------
    task : RetrievalTask
        Queries and references.
    depth : int
        How many of the nearest are wanted.
    precision : dtype
        Of the products.
    device : torch.device
        Where they are computed.
    """

    block = 2048
    piece = 2**15

    def __init__(self, task: RetrievalTask, depth: int, precision: type[np.floating], device: Any):
        import torch

        super().__init__(task, depth, precision)
        self._there = torch.from_numpy(self._reference).to(device)

    def _scan(
        self, queries: np.ndarray, rows: np.ndarray, slack: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        import torch

        device = self._there.device
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            query = torch.from_numpy(rows).to(device)
            reach = torch.from_numpy(slack).to(device)[:, None]
            nearest = query.new_full((len(rows), self._depth), FAR)
            found = []
            for start in range(0, len(self._there), self._piece):
                distances = query @ self._there[start : start + self._piece].T
                self._forbid(distances, queries, start)
                stripes = distances.view(len(rows), self._stripe, -1)
                least = stripes.amin(dim=1)
                nearest = torch.cat([nearest, least], dim=1)
                nearest = nearest.topk(self._depth, largest=False).values
                limit = (nearest[:, -1:] + reach).clamp(max=FAR / 2)
                hits = least <= limit
                crowded = hits.sum(dim=1) > self._most
                nearest[crowded], hits[crowded] = -torch.inf, False
                row, at = hits.nonzero(as_tuple=True)
                values = stripes[row, :, at]
                hit, place = (values <= limit[row]).nonzero(as_tuple=True)
                column = start + place * least.shape[1] + at[hit]
                found.append((row[hit], column, values[hit, place]))
            columns = [torch.cat(parts).cpu().numpy() for parts in zip(*found, strict=True)]
            return nearest[:, -1].cpu().numpy(), *columns

    def _forbid(self, distances: Any, queries: np.ndarray, start: int) -> None:
        """Put what the queries must not find far away."""
        import torch

        column = torch.arange(start, start + distances.shape[1], device=distances.device)
        for runs in self._task.runs(queries):
            first, last = torch.from_numpy(runs).to(distances.device)[:, :, None].unbind(dim=1)
            distances.masked_fill_((first <= column) & (column < last), FAR)
