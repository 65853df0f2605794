"""Published data sets, a file each: they read the copy that you have on disk."""

from skfer.datasets.published._affectnet import load_affectnet
from skfer.datasets.published._bu3dfe import load_bu3dfe
from skfer.datasets.published._ck_plus import load_ck_plus
from skfer.datasets.published._fer2013 import load_fer2013
from skfer.datasets.published._fer_plus import load_fer_plus
from skfer.datasets.published._jaffe import load_jaffe
from skfer.datasets.published._mmi import load_mmi
from skfer.datasets.published._raf_db import load_raf_db
from skfer.datasets.published._sfew import load_sfew

__all__ = [
    "load_affectnet",
    "load_bu3dfe",
    "load_ck_plus",
    "load_fer2013",
    "load_fer_plus",
    "load_jaffe",
    "load_mmi",
    "load_raf_db",
    "load_sfew",
]
