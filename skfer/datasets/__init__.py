"""Data sets of labelled faces, all returning one kind of Bunch."""

from ._affectnet import load_affectnet
from ._bu3dfe import load_bu3dfe
from ._ck_plus import load_ck_plus
from ._decode import decode_images
from ._expressions import EXPRESSION_CODES, EXPRESSIONS, UNLABELED
from ._fer2013 import load_fer2013
from ._fer_plus import load_fer_plus
from ._folder import load_image_folder
from ._jaffe import load_jaffe
from ._mmi import load_mmi
from ._problems import DatasetError, DatasetWarning
from ._raf_db import load_raf_db
from ._registry import DATASETS, Dataset, DatasetReport, check_dataset
from ._sfew import load_sfew
from ._synthetic import make_expressions
from ._table import load_image_table

__all__ = [
    "DATASETS",
    "EXPRESSIONS",
    "EXPRESSION_CODES",
    "UNLABELED",
    "Dataset",
    "DatasetError",
    "DatasetReport",
    "DatasetWarning",
    "check_dataset",
    "decode_images",
    "load_affectnet",
    "load_bu3dfe",
    "load_ck_plus",
    "load_fer2013",
    "load_fer_plus",
    "load_image_folder",
    "load_image_table",
    "load_jaffe",
    "load_mmi",
    "load_raf_db",
    "load_sfew",
    "make_expressions",
]
