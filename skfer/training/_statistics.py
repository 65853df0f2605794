"""Means over an epoch of what losses tell of their batches."""

from collections.abc import Mapping
from typing import Any

import torch

from skfer.exceptions import ArgumentError
from skfer.training._history import OWN_KEYS
from skfer.validation import shown


class Means:
    """Means of the statistics of batches, which stay on their device until they are asked for."""

    def __init__(self) -> None:
        self._totals: dict[str, Any] = {}
        self._counts: dict[str, int] = {}

    def add(self, stats: Mapping[str, Any]) -> None:
        """Take in the statistics of a batch, which need not be those of the batch before."""
        for name, value in stats.items():
            if name in self._totals:
                self._totals[name] = self._totals[name] + value
                self._counts[name] += 1
            else:
                _check(name, value)
                self._totals[name], self._counts[name] = value, 1

    def all(self) -> dict[str, float]:
        """Return the mean of each statistic over the batches that told it."""
        return {name: float(total) / self._counts[name] for name, total in self._totals.items()}


def _check(name: str, value: Any) -> None:
    if name in OWN_KEYS:
        raise ArgumentError(
            "stats of the loss holds {}, which the history has of an epoch as it is: give it "
            "another name.",
            repr(name),
        )
    try:
        is_number = torch.as_tensor(value).numel() == 1
    except (TypeError, ValueError, RuntimeError):
        is_number = False
    if not is_number:
        raise ArgumentError(
            "stats of the loss holds {} as {}: give one number for a batch, as a detached tensor.",
            shown(value),
            repr(name),
        )
