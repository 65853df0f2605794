"""In what order the gallery shows the examples: the first look first."""

from pathlib import Path

ORDER = ("quickstart", "retrieval", "attention", "subclasses", "transfer")


def place(filename):
    """Where an example stands; one that is not listed comes after those that are."""
    name = Path(filename).stem.removeprefix("plot_")
    return ORDER.index(name) if name in ORDER else len(ORDER)
