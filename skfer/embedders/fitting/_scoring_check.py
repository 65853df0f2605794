"""Whether an embedder can be scored by what it is to be scored by."""

from collections.abc import Iterable, Mapping
from typing import Any

from skfer.exceptions import ArgumentError


def check_scorable(embedder: Any, scorers: Mapping[str, Any], names: Iterable[str]) -> None:
    """Raise if a scorer of scikit-learn asks for what an embedder does not answer.

    Parameters
    ----------
    embedder : BaseEmbedder
        It need not be fitted.
    scorers : dict of str to callable
        By their names in the history. What a function of a user asks for is not known.
    names : iterable of str
        Those of scorers that every embedder can be scored by.

    Raises
    ------
    ArgumentError
        Such as for "accuracy", if it does not predict.
    """
    for name, scorer in scorers.items():
        asked = getattr(scorer, "_response_method", ())
        methods = [asked] if isinstance(asked, str) else list(asked)
        if methods and not any(hasattr(embedder, method) for method in methods):
            raise ArgumentError(
                "{scoring} has {}, which calls {}, and {} has no such method: derive it from "
                "skfer.embedders.ClassifierEmbedder, or score its embedding by one of {}.",
                repr(name.removeprefix("valid_")),
                " or ".join(methods),
                type(embedder).__name__,
                ", ".join(names),
            )
