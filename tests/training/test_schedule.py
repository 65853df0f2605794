"""How the learning rate moves, by hand, and which schedule a fit takes."""

import pytest

from skfer.training import SCHEDULES, find_schedule

# Factors of the learning rate by how much of the fit is done.
POINTS = {
    "one-cycle": {0: 0.1, 0.125: 0.55, 0.25: 1, 0.625: 0.5005, 1: 0.001},
    "cosine": {0: 1, 0.5: 0.5005, 1: 0.001},
    "constant": {0: 1, 0.5: 1, 1: 1},
}


def test_every_schedule_has_points_here():
    assert POINTS.keys() == SCHEDULES.keys()


@pytest.mark.parametrize("name", POINTS)
def test_factors_by_hand(name):
    factors = {progress: SCHEDULES[name](progress) for progress in POINTS[name]}
    assert factors == pytest.approx(POINTS[name])


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        # A quarter and three quarters of the way down, a cosine has fallen by 0.15 and 0.85.
        ("one-cycle", {0.4375: 0.853699, 0.8125: 0.147301}),
        ("cosine", {0.25: 0.853699, 0.75: 0.147301}),
    ],
)
def test_the_fall_is_that_of_a_cosine(name, steps):
    factors = {progress: SCHEDULES[name](progress) for progress in steps}
    assert factors == pytest.approx(steps, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "may_stop", "expected"),
    [
        ("auto", False, "one-cycle"),
        ("auto", True, "constant"),
        ("cosine", False, "cosine"),
        ("one-cycle", True, "one-cycle"),
    ],
)
def test_which_schedule_a_name_stands_for(name, may_stop, expected):
    assert find_schedule(name, may_stop=may_stop) == expected


def test_odd_schedules_are_refused():
    with pytest.raises(ValueError, match="name must be one of"):
        find_schedule("linear", may_stop=False)
    with pytest.raises(ValueError, match="may_stop must be"):
        find_schedule("auto", may_stop=1.5)
