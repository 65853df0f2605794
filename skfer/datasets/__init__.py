"""Data sets of labeled faces, all returning one kind of Bunch."""

from skfer.datasets._check import DatasetReport, check_dataset
from skfer.datasets._folder import load_image_folder
from skfer.datasets._registry import DATASETS, Dataset
from skfer.datasets._table import load_image_table
from skfer.datasets._vocabulary import EXPRESSION_CODES, EXPRESSIONS
from skfer.datasets.drawn import draw_portraits, make_expressions
from skfer.datasets.published._affectnet import load_affectnet
from skfer.datasets.published._bu3dfe import load_bu3dfe
from skfer.datasets.published._ck_plus import load_ck_plus
from skfer.datasets.published._fer2013 import load_fer2013
from skfer.datasets.published._fer_plus import load_fer_plus
from skfer.datasets.published._jaffe import load_jaffe
from skfer.datasets.published._mmi import load_mmi
from skfer.datasets.published._raf_db import load_raf_db
from skfer.datasets.published._sfew import load_sfew
from skfer.pictures import DatasetError, DatasetWarning, decode_images
from skfer.validation import UNLABELED

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
    "draw_portraits",
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
