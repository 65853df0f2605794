"""The tables of an evaluation that was broken off: what a row is of stands beside it."""

import numpy as np
import pytest

from skfer.datasets import make_expressions
from skfer.evaluation import Fit, comparison_tables, format_tables, make_splits, prepare
from skfer.evaluation._measures import MEASURES

FACES = prepare(make_expressions(8, 1, image_size=16, random_state=0))
SPLITS = make_splits(FACES, n_folds=2)


def _fit(method, fold, seed):
    score = 0.4 + 0.1 * fold + 0.2 * seed
    predicted = FACES.target[SPLITS[fold][1]].tolist()
    return Fit(method, fold, seed, dict.fromkeys(MEASURES, score), predicted, 1.0, 1.0, 32, 32)


ALL = [_fit(name, f, s) for s in (0, 1) for f in (0, 1) for name in ("cross-entropy", "b")]


def _tables(fits):
    return comparison_tables(FACES, SPLITS, fits, confusion=True)


def test_all_fits_need_no_words():
    tables = _tables(ALL)
    assert tables[0].title == "mean ± standard deviation over 4 fits"
    assert not any("of 4" in line for line in format_tables(tables).splitlines())


@pytest.mark.parametrize("n_missing", [1, 2])
def test_rows_tell_how_many_fits_they_are_of(n_missing):
    fits = [fit for fit in ALL if fit.method != "b"]
    fits += [fit for fit in ALL if fit.method == "b"][: 4 - n_missing]
    scores, distances, recall, differences, *confusions = _tables(fits)
    n = 4 - n_missing
    assert scores.title == f"mean ± standard deviation over {n} to 4 fits"
    for table in (scores, distances, recall):
        assert [name for name, _ in table.rows] == ["cross-entropy", f"b ({n} of 4 fits)"]
    ((name, cells),) = differences.rows
    assert name == f"b ({n} of 4 fits)"
    assert all(abs(cell.value) < 1e-12 and abs(cell.spread) < 1e-12 for cell in cells)
    assert confusions[1].title.startswith(f"b ({n} of 4 fits): ")


def test_as_many_fits_of_other_folds_are_told_too():
    tables = _tables([_fit("cross-entropy", 0, 0), _fit("b", 1, 0)])
    assert [name for name, _ in tables[0].rows] == [
        "cross-entropy (1 of 2 fits)",
        "b (1 of 2 fits)",
    ]
    ((name, cells),) = tables[3].rows
    assert name == "b (0 of 2 fits)"
    assert {str(cell) for cell in cells} == {"-"}


def test_subgroups_that_are_not_tested_yet_stop_no_table():
    first = SPLITS[0][1]
    part = np.where(np.isin(np.arange(len(FACES.target)), first), "here", "there")
    faces = type(FACES)(**FACES | {"subgroup": part})

    def told(fits):
        titles = [table.title for table in comparison_tables(faces, SPLITS, fits)]
        return [title.split(":")[0] for title in titles if ": subgroups" in title]

    assert told(ALL[:2]) == []
    assert told(ALL[:3]) == ["cross-entropy"]
    assert told(ALL) == ["cross-entropy", "b"]
