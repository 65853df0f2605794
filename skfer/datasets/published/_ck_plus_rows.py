"""What both forms of CK+ have in common: frames of sequences, named like S005_001_00000011.png."""

import re
from dataclasses import dataclass, field

import numpy as np

from skfer.pictures import Problem

NAME = re.compile(r"^(S\d{3})_(\d{3})_(\d+)\.\w+$", re.IGNORECASE)


def key_of(match: re.Match[str]) -> str:
    """Return the sequence of a name, such as S005_001."""
    return f"{match[1]}_{match[2]}".upper()


@dataclass
class Rows:
    """The pictures found so far."""

    names: list[str] = field(default_factory=list)  # relative to root
    target: list[int] = field(default_factory=list)
    sequence_target: list[int] = field(default_factory=list)
    sequence: list[str] = field(default_factory=list)
    number: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, name: str, match: re.Match[str], target: int, sequence_target: int) -> None:
        """Add a picture whose name is of the parts in `match`."""
        self.names.append(name)
        self.target.append(target)
        self.sequence_target.append(sequence_target)
        self.sequence.append(key_of(match))
        self.number.append(int(match[3]))

    def columns(self) -> dict[str, np.ndarray | None]:
        """Return the columns of the listing."""
        return {
            "groups": np.array([name[:4] for name in self.sequence], dtype=np.str_),
            "sequence": np.array(self.sequence, dtype=np.str_),
            "frame_number": np.array(self.number, dtype=np.int64),
            "sequence_target": np.array(self.sequence_target, dtype=np.int64),
        }
