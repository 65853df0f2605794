"""The check of a copy of a data set against what is published."""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from skfer.datasets._loading import find_broken
from skfer.datasets._registry import DATASETS
from skfer.datasets._tree import Tree, plain
from skfer.exceptions import ArgumentError, warn_caller
from skfer.pictures import N_SHOWN, Problem
from skfer.validation import check_flag, check_verbose


@dataclass(frozen=True)
class DatasetReport:
    """What :func:`check_dataset` found; `str(report)` is the report as text.

    Parameters
    ----------
    name : str
        The data set.
    root : str
        The folder.
    layout : str
        Which of the known forms it has.
    counts : dict of str to int
        Pictures (for sequences their peaks) of each class.
    published : dict of str to int
        The published counts; empty where there are none.
    parts : dict of str to int
        Pictures of each official part.
    n_groups : int
        Number of groups; 0 where the set has none.
    missing : list of str
        Files that labels name and that are not there.
    problems : list of (where, what)
        Faulty labels and files.
    published_parts : dict of str to int
        The published sizes of the parts; empty where there are none.
    published_groups : int, default=None
        The published number of groups.
    groups : str, default="subjects"
        What the groups are.

    See Also
    --------
    check_dataset : Makes it.

    Examples
    --------
    >>> from skfer.datasets import DatasetReport
    >>> report = DatasetReport("jaffe", "jaffe", "KA.AN1.39.tiff", {"anger": 29}, {"anger": 30})
    >>> report.ok
    False
    """

    name: str
    root: str
    layout: str
    counts: dict[str, int]
    published: dict[str, int]
    parts: dict[str, int] = field(default_factory=dict)
    n_groups: int = 0
    missing: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    published_parts: dict[str, int] = field(default_factory=dict)
    published_groups: int | None = None
    groups: str = "subjects"

    @property
    def ok(self) -> bool:
        """Whether nothing is missing or faulty and all numbers are the published ones."""
        pairs = (
            (self.published, self.counts),
            (self.published_parts, self.parts),
            (self.published_groups, self.n_groups),
        )
        same = all(not published or published == found for published, found in pairs)
        return same and not self.missing and not self.problems

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = [f"{self.name} in {self.root}", f"layout: {self.layout}", ""]
        lines += self._counts()
        if self.parts:
            lines.append(f"parts: {_parts(self.parts)}{_beside(self.parts, self.published_parts)}")
        if self.n_groups:
            beside = _beside(self.n_groups, self.published_groups)
            lines.append(f"{self.groups}: {self.n_groups}{beside}")
        lines += _some("missing", self.missing)
        lines += _some("faulty", [f"{where}: {what}" for where, what in self.problems])
        published = self.published or self.published_parts or self.published_groups
        if not self.ok:
            lines.append("NOT as published" if published else "NOT whole")
        elif published:
            lines.append("all as published")
        return "\n".join(lines)

    def _counts(self) -> list[str]:
        head = f"{'class':<12}{'found':>9}" + (f"{'published':>12}" if self.published else "")
        lines = [head]
        for word in sorted({*self.counts, *self.published}):
            found, wanted = self.counts.get(word, 0), self.published.get(word, 0)
            line = f"{word:<12}{found:>9}"
            if self.published:
                line += f"{wanted:>12}" + ("" if found == wanted else f"  ({found - wanted:+})")
            lines.append(line)
        total = f"{'total':<12}{sum(self.counts.values()):>9}"
        return [*lines, total + (f"{sum(self.published.values()):>12}" if self.published else "")]


def check_dataset(
    name: str,
    root: str | os.PathLike[str],
    *,
    decode: bool = False,
    n_jobs: int | None = None,
    verbose: bool | int = False,
) -> DatasetReport:
    """Compare a local copy of a data set with what is published.

    Parameters
    ----------
    name : str
        One of the names in `DATASETS`, except "table", in any case and spelling.
    root : str or path-like
        The folder.
    decode : bool, default=False
        Decode every picture in the folder too, which takes its time, and tell which cannot be.
        Else they are not read.
    n_jobs : int, default=None
        Threads that decode, as in joblib: None is 1, -1 all cores.
    verbose : bool or int, default=False
        Show a progress bar on stderr while pictures are decoded.

    Returns
    -------
    report : DatasetReport
        Layout, counts per class, official parts and subjects beside the published ones, missing
        files and faulty labels. Sequences count once, by their peak. `print(report)` shows it.

    Raises
    ------
    DatasetError
        The tree has no known layout.
    FileNotFoundError, NotADirectoryError
        `root` is no folder.
    ValueError
        An unknown name.

    See Also
    --------
    skfer.model_selection.check_leakage : What the two sides of a split share.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from skfer.datasets import check_dataset
    >>> with tempfile.TemporaryDirectory() as root:
    ...     Image.new("L", (256, 256)).save(os.path.join(root, "KA.AN1.39.tiff"))
    ...     report = check_dataset("jaffe", root)
    >>> report.counts, report.published["anger"], report.ok
    ({'anger': 1}, 30, False)
    """
    listers = {known: data.lister for known, data in DATASETS.items() if data.lister is not None}
    spelled = {_spelled(known): known for known in listers}
    found = spelled.get(_spelled(name)) if isinstance(name, str) else None
    if found is None:
        raise ArgumentError("{name=} is not known: give one of {}.", list(listers), name=name)
    check_flag(decode, "decode")
    check_verbose(verbose)
    tree = Tree(root)
    listing = listers[found](tree)
    if listing.is_own:  # of a published set the report tells what is missing
        for warning in listing.warnings:
            warn_caller(warning)
    broken = find_broken(tree, listing, n_jobs=n_jobs, verbose=verbose) if decode else []
    groups = {row.group for row in listing.rows} - {""}
    parts = listing.parts
    if parts is None:
        parts = _count(row.part for row in listing.rows if row.part)
    words = listing.target_names
    unlisted = [Problem(name, "a picture without a label") for name in listing.unlisted]
    return DatasetReport(
        name=found,
        root=os.fspath(root),
        layout=listing.layout.text,
        counts=_count(words[code] if code >= 0 else "no label" for code in listing.target),
        published=dict(listing.layout.counts),
        parts=parts,
        n_groups=len(groups),
        missing=listing.missing + [n for n in listing.files if not os.path.isfile(tree.path(n))],
        problems=[*tree.problems, *listing.problems, *broken, *unlisted],
        published_parts=dict(listing.layout.parts),
        published_groups=listing.layout.n_groups,
        groups=listing.group_kind,
    )


def _spelled(name: str) -> str:
    return plain(name).replace("plus", "+")


def _count(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))


def _parts(parts: dict[str, int]) -> str:
    return ", ".join(f"{part} {count}" for part, count in parts.items())


def _beside(found: Any, published: Any) -> str:
    """Return the published number, where there is one and it is another."""
    if not published or found == published:
        return ""
    text = _parts(published) if isinstance(published, dict) else published
    return f"  (published: {text})"


def _some(title: str, entries: list[str]) -> list[str]:
    if not entries:
        return []
    lines = [f"{title}: {len(entries)}", *(f"  {entry}" for entry in entries[:N_SHOWN])]
    return (
        lines if len(entries) <= N_SHOWN else [*lines, f"  ... and {len(entries) - N_SHOWN} more"]
    )
