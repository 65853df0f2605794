"""Which votes of a table can be those of ten people."""

import pytest
from helpers import trees

from skfer.datasets._tree import Tree
from skfer.datasets._votes import read_votes


def read(folder, *votes):
    """Return the only row of a table, with these votes and none for what else there is."""
    votes = [*votes, *["0"] * (10 - len(votes))]
    trees.fer_plus_table(folder, [("Training", "fer0000000.png", votes)])
    (row,) = read_votes(Tree(folder), "fer2013new.csv")
    return row


def test_all_ten_may_agree(tmp_path):
    row = read(tmp_path, "10")
    assert row.votes == (10, *[0] * 9)
    assert row.fault == ""
    assert read(tmp_path, "4", "0", "6").votes == (4, 0, 6, *[0] * 7)


@pytest.mark.parametrize("cell", ["11", "100", "9" * 5000], ids=["11", "100", "very long"])
def test_eleven_are_too_many(tmp_path, cell):
    row = read(tmp_path, cell)
    assert row.votes is None
    assert "are more votes than the 10 people gave" in row.fault
