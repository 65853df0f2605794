"""What `skfer evaluate` compares."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.utils import Bunch


@dataclass(frozen=True)
class Comparison:
    """What is compared, on which data."""

    dataset: str
    protocol: str
    faces: Bunch
    splits: Sequence[Any]
    methods: dict[str, Any]
    duplicates: Sequence[tuple[str, str]] = ()
