"""Cross-validated comparison of embedders: protocols, fits, measures and tables."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from skfer.evaluation._names import (
    CLASSIFIERS,
    EMBEDDERS,
    LOSSES,
    METHODS,
    PROTOCOLS,
    REFERENCE,
    STYLES,
)

if TYPE_CHECKING:
    from skfer.evaluation._classifiers import with_classifier
    from skfer.evaluation._comparison import check_folds, compare
    from skfer.evaluation._fits import Fit
    from skfer.evaluation._methods import make_methods, pca_baseline
    from skfer.evaluation._paired import PairedDifference, compare_with, paired_difference
    from skfer.evaluation._protocols import make_splits, prepare
    from skfer.evaluation._report import (
        comparison_tables,
        confusion_matrix,
        confusion_table,
        difference_table,
        embedding_table,
        recall_table,
        score_table,
    )
    from skfer.evaluation._subgroups import SubgroupReport, subgroup_report
    from skfer.evaluation._summary import fit_warnings, summarize
    from skfer.evaluation._tables import Cell, Table, format_tables

_FILE_OF = {
    "Cell": "_tables",
    "Fit": "_fits",
    "PairedDifference": "_paired",
    "SubgroupReport": "_subgroups",
    "Table": "_tables",
    "check_folds": "_comparison",
    "compare": "_comparison",
    "compare_with": "_paired",
    "comparison_tables": "_report",
    "confusion_matrix": "_report",
    "confusion_table": "_report",
    "difference_table": "_report",
    "embedding_table": "_report",
    "fit_warnings": "_summary",
    "format_tables": "_tables",
    "make_methods": "_methods",
    "make_splits": "_protocols",
    "paired_difference": "_paired",
    "pca_baseline": "_methods",
    "prepare": "_protocols",
    "recall_table": "_report",
    "score_table": "_report",
    "subgroup_report": "_subgroups",
    "summarize": "_summary",
    "with_classifier": "_classifiers",
}

__all__ = [
    "CLASSIFIERS",
    "EMBEDDERS",
    "LOSSES",
    "METHODS",
    "PROTOCOLS",
    "REFERENCE",
    "STYLES",
    "Cell",
    "Fit",
    "PairedDifference",
    "SubgroupReport",
    "Table",
    "check_folds",
    "compare",
    "compare_with",
    "comparison_tables",
    "confusion_matrix",
    "confusion_table",
    "difference_table",
    "embedding_table",
    "fit_warnings",
    "format_tables",
    "make_methods",
    "make_splits",
    "paired_difference",
    "pca_baseline",
    "prepare",
    "recall_table",
    "score_table",
    "subgroup_report",
    "summarize",
    "with_classifier",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: the command line knows the choices without torch."""
    if name not in _FILE_OF:
        raise AttributeError(f"module 'skfer.evaluation' has no attribute {name!r}")
    value = getattr(import_module(f"skfer.evaluation.{_FILE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
