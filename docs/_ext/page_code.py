"""The code of a page of these docs: what stands under its ``.. run::``, and how it is executed."""

import ast
import contextlib
import io
import os
import textwrap
import warnings
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Shown:
    """What a block of code has brought to light."""

    text: str = ""
    html: str = ""
    figures: list[bytes] = field(default_factory=list)


def blocks_of(page):
    """The code of every ``.. run::`` of a page, in order."""
    blocks, lines = [], Path(page).read_text(encoding="utf-8").splitlines()
    for start, line in enumerate(lines):
        if line.strip() != ".. run::":
            continue
        body = []
        for inner in lines[start + 1 :]:
            if inner.strip() and not inner.startswith("   "):
                break
            body.append(inner)
        options = [i for i, inner in enumerate(body) if inner.strip().startswith(":alt:")]
        first = next(i for i in range(len(body)) if i not in options and not body[i].strip())
        blocks.append(textwrap.dedent("\n".join(body[first:])).strip())
    return blocks


def execute(code, namespace, folder, on_warning="error"):
    """Run a block where the blocks before it left off, in a folder of the page's own."""
    import matplotlib

    matplotlib.use("agg")
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    printed, value, here = io.StringIO(), None, os.getcwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter(on_warning)
            exec(compile(tree, "<page>", "exec"), namespace)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), "<page>", "eval"), namespace)
    finally:
        os.chdir(here)
    figures = take_figures()
    html = ""
    if value is not None and not figures:
        html = value._repr_html_() if hasattr(value, "_repr_html_") else ""
        if not html:
            print(repr(value), file=printed)
    return Shown(printed.getvalue(), html, figures)


def take_figures():
    """Every open figure as PNG; they are closed."""
    import matplotlib.pyplot as plt

    pictures = []
    for number in plt.get_fignums():
        picture = io.BytesIO()
        plt.figure(number).savefig(picture, dpi=110, bbox_inches="tight", format="png")
        pictures.append(picture.getvalue())
    plt.close("all")
    return pictures
