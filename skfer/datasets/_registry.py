"""The data sets by name, with the protocol that papers use on each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from skfer.datasets._folder import list_folder, load_image_folder
from skfer.datasets._listing import Listing
from skfer.datasets._table import load_image_table
from skfer.datasets._tree import Tree
from skfer.datasets.published._affectnet import list_affectnet, load_affectnet
from skfer.datasets.published._bu3dfe import list_bu3dfe, load_bu3dfe
from skfer.datasets.published._ck_plus import load_ck_plus, survey_ck_plus
from skfer.datasets.published._fer2013 import load_fer2013, survey_fer2013
from skfer.datasets.published._fer_plus import list_fer_plus, load_fer_plus
from skfer.datasets.published._jaffe import list_jaffe, load_jaffe
from skfer.datasets.published._mmi import list_mmi, load_mmi
from skfer.datasets.published._raf_db import load_raf_db, survey_raf_db
from skfer.datasets.published._sfew import list_sfew, load_sfew


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

    See Also
    --------
    DATASETS : All of them by name.

    Examples
    --------
    >>> from skfer.datasets import DATASETS
    >>> DATASETS["jaffe"].protocol
    'leave-one-subject-out'
    """

    loader: Callable[..., Any]
    protocol: str
    lister: Callable[[Tree], Listing] | None = None


DATASETS: dict[str, Dataset] = {
    "ck+": Dataset(load_ck_plus, "subject-10fold", survey_ck_plus),
    "jaffe": Dataset(load_jaffe, "leave-one-subject-out", list_jaffe),
    "fer2013": Dataset(load_fer2013, "official", survey_fer2013),
    "fer+": Dataset(load_fer_plus, "official", list_fer_plus),
    "raf-db": Dataset(load_raf_db, "official", survey_raf_db),
    "affectnet": Dataset(load_affectnet, "official", list_affectnet),
    "bu3dfe": Dataset(load_bu3dfe, "subject-10fold", list_bu3dfe),
    "sfew": Dataset(load_sfew, "official", list_sfew),
    "mmi": Dataset(load_mmi, "subject-10fold", list_mmi),
    "folder": Dataset(load_image_folder, "group-fold", list_folder),
    "table": Dataset(load_image_table, "group-fold"),
}
