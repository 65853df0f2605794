"""One way of checking arguments for all rooms: marks of "no value", labels, groups, numbers."""

from skfer.validation._arrays import as_array, as_column, as_list, check_rows, check_same_length
from skfer.validation._labels import (
    check_groups,
    check_labels,
    leave_out_unlabeled,
    number_values,
    unlabeled_mask,
)
from skfer.validation._marks import (
    MISSING_WORDS,
    UNLABELED,
    is_missing,
    is_unlabeled_mark,
    mark_mask,
    missing_mask,
)
from skfer.validation._messages import refusal, shown
from skfer.validation._parameters import CheckedParametersMixin
from skfer.validation._scalars import (
    check_choice,
    check_flag,
    check_int,
    check_random_seed,
    check_real,
    check_verbose,
)

__all__ = [
    "MISSING_WORDS",
    "UNLABELED",
    "CheckedParametersMixin",
    "as_array",
    "as_column",
    "as_list",
    "check_choice",
    "check_flag",
    "check_groups",
    "check_int",
    "check_labels",
    "check_random_seed",
    "check_real",
    "check_rows",
    "check_same_length",
    "check_verbose",
    "is_missing",
    "is_unlabeled_mark",
    "leave_out_unlabeled",
    "mark_mask",
    "missing_mask",
    "number_values",
    "refusal",
    "shown",
    "unlabeled_mask",
]
