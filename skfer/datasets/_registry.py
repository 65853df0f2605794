"""The data sets by name, with the protocol that papers use on each, and a check of a copy."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from skfer.datasets._folder import list_folder, load_image_folder
from skfer.datasets._listing import Listing, check_root
from skfer.datasets._table import load_image_table
from skfer.datasets.published._affectnet import list_affectnet, load_affectnet
from skfer.datasets.published._bu3dfe import list_bu3dfe, load_bu3dfe
from skfer.datasets.published._ck_plus import load_ck_plus, survey_ck_plus
from skfer.datasets.published._fer2013 import list_fer2013, load_fer2013
from skfer.datasets.published._fer_plus import list_fer_plus, load_fer_plus
from skfer.datasets.published._jaffe import list_jaffe, load_jaffe
from skfer.datasets.published._mmi import list_mmi, load_mmi
from skfer.datasets.published._raf_db import list_raf_db, load_raf_db
from skfer.datasets.published._sfew import list_sfew, load_sfew
from skfer.exceptions import ArgumentError
from skfer.pictures import N_SHOWN, Problem


@dataclass(frozen=True)
class Dataset:
    """A data set that skfer can load, and how papers split it.

    Parameters
    ----------
    loader : callable
        Loads it; the first argument is the folder (for "table" the table).
    protocol : str
        The usual protocol: "official" (`OfficialSplit(bunch.split)`), "subject-10fold"
        (`SubjectKFold(10)`), "leave-one-subject-out" (`LeaveOneGroupOut()`), or "group-fold"
        (`StratifiedGroupKFold`, or `StratifiedKFold` where there are no groups).
    lister : callable, default=None
        Lists its pictures without reading them, for :func:`check_dataset`.
    groups : str, default="subjects"
        What the groups of its Bunch are, if it has any.

    Examples
    --------
    >>> from skfer.datasets import DATASETS
    >>> DATASETS["jaffe"].protocol
    'leave-one-subject-out'
    """

    loader: Callable[..., Any]
    protocol: str
    lister: Callable[[Path], Listing] | None = None
    groups: str = "subjects"


DATASETS: dict[str, Dataset] = {
    "ck+": Dataset(load_ck_plus, "subject-10fold", survey_ck_plus),
    "jaffe": Dataset(load_jaffe, "leave-one-subject-out", list_jaffe),
    "fer2013": Dataset(load_fer2013, "official", list_fer2013, "different images"),
    "fer+": Dataset(load_fer_plus, "official", list_fer_plus, "different images"),
    "raf-db": Dataset(load_raf_db, "official", list_raf_db),
    "affectnet": Dataset(load_affectnet, "official", list_affectnet),
    "bu3dfe": Dataset(load_bu3dfe, "subject-10fold", list_bu3dfe),
    "sfew": Dataset(load_sfew, "official", list_sfew, "films"),
    "mmi": Dataset(load_mmi, "subject-10fold", list_mmi),
    "folder": Dataset(load_image_folder, "group-fold", list_folder),
    "table": Dataset(load_image_table, "group-fold"),
}


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


def check_dataset(name: str, root: str | os.PathLike[str]) -> DatasetReport:
    """Compare a local copy of a data set with what is published, without reading its pictures.

    Parameters
    ----------
    name : str
        One of the names in `DATASETS`, except "table".
    root : str or path-like
        The folder.

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
    lister = DATASETS[name].lister if name in DATASETS else None
    if lister is None:
        known = [known for known, dataset in DATASETS.items() if dataset.lister is not None]
        raise ArgumentError("{name=} is not known: give one of {}.", known, name=name)
    folder = check_root(root)
    listing = lister(folder)
    split, groups = listing.columns.get("split"), listing.columns.get("groups")
    files = listing.filenames if listing.sources is None else listing.sources
    parts = listing.parts
    if parts is None and split is not None:
        parts = _count(split.tolist())
    return DatasetReport(
        name=name,
        root=os.fspath(root),
        layout=listing.layout,
        counts=_count([listing.target_names[k] if k >= 0 else "no label" for k in listing.target]),
        published=listing.published,
        parts=parts or {},
        n_groups=0 if groups is None else len(np.unique(groups)),
        missing=listing.missing + [name for name in files if not (folder / name).is_file()],
        problems=listing.problems
        + [Problem(name, "a picture without a label") for name in listing.unlisted],
        published_parts=listing.published_parts,
        published_groups=listing.published_groups,
        groups=DATASETS[name].groups,
    )


def _count(words: list[str]) -> dict[str, int]:
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
