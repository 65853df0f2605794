"""Confusion matrices of any number of classes with any names."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest

from skfer.inspection._confusion import draw_confusion


def drawn(n, name="expression {}", **options):
    names = [name.format(k) for k in range(n)]
    display = draw_confusion(np.eye(n), names, plt.figure(), **options)
    display.figure_.canvas.draw()
    return display


@pytest.mark.parametrize("n", [2, 8, 30])
def test_each_name_ends_below_its_column_and_hides_no_other(n):
    display = drawn(n)
    renderer = display.figure_.canvas.get_renderer()
    figure = display.figure_.bbox
    labels = display.ax_.get_xticklabels()
    ends = [label.get_window_extent(renderer) for label in labels]
    columns = display.ax_.transData.transform([[k, 0] for k in range(n)])[:, 0]
    apart = columns[1] - columns[0]
    for end, column in zip(ends, columns, strict=True):
        assert abs(end.x1 - column) < 0.6 * apart
        assert end.x0 >= 0
        assert end.y0 >= 0
    assert apart > 1.2 * labels[0].get_fontsize() * display.figure_.dpi / 72
    rows = [label.get_window_extent(renderer) for label in display.ax_.get_yticklabels()]
    assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(rows))
    assert figure.width < 1500


def test_names_are_drawn_as_they_are():
    display = drawn(3, "$x_{{$ {}\n_")
    assert [label.get_text() for label in display.ax_.get_yticklabels()][1] == r"\$x_{\$ 1 _"


def test_of_many_classes_a_bar_tells_the_colors():
    few, many = drawn(20), drawn(21)
    assert few.text_ is not None
    assert len(few.figure_.axes) == 1
    assert many.text_ is None
    assert len(many.figure_.axes) == 2
    assert len(drawn(3, colorbar=True).figure_.axes) == 2


@pytest.mark.parametrize("scale", [{}, {"im_kw": {"vmin": 0, "vmax": 1}}], ids=["own", "shares"])
def test_numbers_stand_out_from_their_cells(scale):
    shares = np.array([[0.3, 0.2, 0.2], [0.2, 0.1, 0.1], [0.2, 0.4, 0.0]])
    display = draw_confusion(shares, ["a", "b", "c"], plt.figure(), **scale)
    cells = display.im_.to_rgba(shares)[..., :3].mean(axis=2)
    for cell, text in np.ndenumerate(display.text_):
        assert abs(np.mean(text.get_color()[:3]) - cells[cell]) > 0.3
