"""Finds out from its history whether an embedder learned anything."""

from collections.abc import Sequence
from typing import Any

COLLAPSE_SPREAD = 0.1
"""Below this share of the squared norm, embeddings count as coincident."""
PATIENCE = 10
"""So many passes of ``partial_fit`` in a row have to look collapsed, as the first ones often do."""


def find_collapse(
    history: Sequence[dict[str, Any]], n_epochs: int, *, from_triplets: bool, advice: Sequence[str]
) -> str | None:
    """Tell what is wrong if the latest epochs all collapsed.

    Parameters
    ----------
    history : sequence of dict
        As an embedder's ``history_``.
    n_epochs : int
        How many epochs have to look like a collapse.
    from_triplets : bool
        Whether an epoch in which every triplet was active looks like one.
    advice : sequence of str
        What a user may try.

    Returns
    -------
    str or None
        The fault and what to do, or None.
    """
    epochs = history[-n_epochs:]
    if len(epochs) < n_epochs or not all(_looks_collapsed(e, from_triplets) for e in epochs):
        return None
    spread = epochs[-1]["embedding_spread"]
    fault = (
        f"the embeddings nearly coincide (spread {spread:.2g})"
        if spread < COLLAPSE_SPREAD
        else "every triplet was still active in the last epoch"
    )
    return f"{fault}. Try this: {'; '.join(advice)}."


def _looks_collapsed(epoch: dict[str, Any], from_triplets: bool) -> bool:
    all_active = from_triplets and epoch.get("active_fraction", 0) == 1
    return all_active or epoch["embedding_spread"] < COLLAPSE_SPREAD
