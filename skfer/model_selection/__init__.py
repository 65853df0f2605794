"""Subject-independent protocols as scikit-learn splitters, and a check of any folds."""

from skfer.model_selection._duplicates import resolve_duplicates
from skfer.model_selection._leakage import check_leakage, number_identical_images
from skfer.model_selection._semi_supervised import SemiSupervisedSplit
from skfer.model_selection._sharing import share_memmaps
from skfer.model_selection._splitters import OfficialSplit, SubjectKFold

__all__ = [
    "OfficialSplit",
    "SemiSupervisedSplit",
    "SubjectKFold",
    "check_leakage",
    "number_identical_images",
    "resolve_duplicates",
    "share_memmaps",
]
