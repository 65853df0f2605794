"""Intervals of gaps between subgroups: exactly those of a plain loop over the same draws."""

import numpy as np
import pytest
from scipy.stats import t as student_t

from skfer.evaluation import subgroup_report

N_DRAWS, N_CLASSES, PARTS = 130, 3, ("few", "many", "most")  # drawn a hundred at a time


def faces():
    """Labels, predictions, subgroups and persons; one class of a subgroup is of two persons."""
    draw = np.random.RandomState(5)
    person = np.repeat(np.arange(16), 9)
    part = np.array(PARTS)[np.where(person < 4, 0, np.where(person < 9, 1, 2))]
    part[draw.permutation(len(part))[:6]] = "most"  # some persons are of two subgroups
    y = draw.randint(N_CLASSES, size=len(person))
    y[(part == "few") & (y == 2) & (person > 2)] = 0
    guess = np.where(draw.rand(len(y)) < 0.75, y, (y + 1) % N_CLASSES)
    return y, guess, part, person


def times_and_added(n_persons, seed):
    """How often each person is drawn, and what is added to each cell, draw by draw."""
    rng = np.random.RandomState(seed)
    for n in (100, N_DRAWS - 100):
        times = rng.multinomial(n_persons, np.full(n_persons, 1 / n_persons), size=n)
        added = rng.poisson(1.0, size=(n, len(PARTS), N_CLASSES, 2))
        yield from zip(times.tolist(), added.tolist(), strict=True)


def gaps_of(rows, times, added=None):
    """Gap of each subgroup in each class, and in the mean of the classes; None without faces."""
    found = {}
    for p, name in enumerate(PARTS):
        for c in range(N_CLASSES):
            right = {True: 0, False: 0}  # in the subgroup, and in the others
            total = {True: 0, False: 0}
            for q, other in enumerate(PARTS):
                there = [row for row in rows if row[:2] == (other, c) for _ in range(times[row[2]])]
                more = [0, 0] if added is None or not there else added[q][c]
                right[q == p] += sum(row[3] for row in there) + more[0]
                total[q == p] += len(there) + sum(more)
            one, rest = (right[k] / total[k] if total[k] else None for k in (True, False))
            found[name, c] = None if one is None or rest is None else one - rest
        known = [found[name, c] for c in range(N_CLASSES) if found[name, c] is not None]
        found[name, "mean"] = sum(known) / len(known) if known else None
    return found


def fewest_persons(rows, name, c):
    """On how many persons a gap rests: of the subgroup, or of the others."""
    of_class = [row for row in rows if c in ("mean", row[1])]
    own = {row[2] for row in of_class if row[0] == name}
    others = {row[2] for row in of_class if row[0] != name}
    return min(len(own), len(others))


@pytest.mark.parametrize("seed", [0, 1])
def test_intervals_are_exactly_those_of_a_loop(seed):
    y, guess, part, person = faces()
    rows = list(zip(part.tolist(), y.tolist(), person.tolist(), (guess == y).tolist(), strict=True))
    gaps = gaps_of(rows, [1] * 16)
    draws = [gaps_of(rows, *drawn) for drawn in times_and_added(16, seed)]
    report = subgroup_report(
        y, guess, part, groups=person, n_bootstrap=N_DRAWS, random_state=seed, min_samples=0
    )
    assert any(draw["few", 2] is None for draw in draws)  # its two persons are not always drawn
    for p, name in enumerate(PARTS):
        for c in [*range(N_CLASSES), "mean"]:
            gap, several = gaps[name, c], [d[name, c] for d in draws if d[name, c] is not None]
            low, high = student_t.interval(0.95, fewest_persons(rows, name, c) - 1)
            spread = np.std(several)
            expected = [gap, max(gap + low * spread, -1), min(gap + high * spread, 1)]
            kind = "gap" if c == "mean" else "class_gap"
            place = p if c == "mean" else (p, c)
            found = [getattr(report, kind + end)[place] for end in ("", "_low", "_high")]
            np.testing.assert_allclose(found, expected, rtol=1e-9, err_msg=f"{name}, {c}")
            assert -1 < found[1] < found[2] < 1 or (name, c) == ("few", 2)
