"""Cross-validated comparison of embedders: protocols, fits, measures and tables."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from skfer.evaluation._names import CLASSIFIERS, METHODS, PROTOCOLS, STYLES

if TYPE_CHECKING:
    from skfer.evaluation._comparison import check_folds, compare
    from skfer.evaluation._fits import Fit
    from skfer.evaluation._methods import make_methods, pca_baseline
    from skfer.evaluation._protocols import make_splits, prepare
    from skfer.evaluation._summary import fit_warnings, score_table, summarize
    from skfer.evaluation._tables import Cell, Table, format_tables

_FILE_OF = {
    "Cell": "_tables",
    "Fit": "_fits",
    "Table": "_tables",
    "check_folds": "_comparison",
    "compare": "_comparison",
    "fit_warnings": "_summary",
    "format_tables": "_tables",
    "make_methods": "_methods",
    "make_splits": "_protocols",
    "pca_baseline": "_methods",
    "prepare": "_protocols",
    "score_table": "_summary",
    "summarize": "_summary",
}

__all__ = [
    "CLASSIFIERS",
    "METHODS",
    "PROTOCOLS",
    "STYLES",
    "Cell",
    "Fit",
    "Table",
    "check_folds",
    "compare",
    "fit_warnings",
    "format_tables",
    "make_methods",
    "make_splits",
    "pca_baseline",
    "prepare",
    "score_table",
    "summarize",
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
