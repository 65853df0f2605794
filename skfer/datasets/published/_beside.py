"""Another form of a set beside the one that is read."""

from collections.abc import Sequence
from dataclasses import replace

from skfer.datasets._listing import Listing
from skfer.datasets._tree import Tree
from skfer.pictures import DatasetWarning


def beside_another(tree: Tree, listing: Listing, others: Sequence[str]) -> Listing:
    """Return the listing with a warning of folders that hold the set in another form.

    For forms that hold different pictures: which one is read changes what is learned.
    """
    if not others:
        return listing
    text = (
        "{root=} has another form of the set in {}, which is not read. What is read has the form "
        "{}. Give the folder of one of them."
    )
    where = repr(others[0] or tree.root.name)
    warning = DatasetWarning(text, where, listing.layout.text, root=str(tree.root))
    return replace(listing, warnings=[*listing.warnings, warning])
