"""The code of a page, which stands under its ``.. run::``: it is run, and what it shows is kept.

The blocks of a page are one program. What each has shown is kept in ``docs/_results``, in a folder
for each page, with the hash of the program up to it: what has changed is computed again, and what
has not is not, so that a build trains nothing. ``python docs/_ext/page_code.py docs/tutorials/*.rst
--again`` computes the results of pages anew, as before a release.
"""

import argparse
import ast
import contextlib
import hashlib
import io
import json
import os
import shutil
import tempfile
import textwrap
import time
import warnings
import weakref
from dataclasses import dataclass, field
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
KEPT = DOCS / "_results"


@dataclass
class Shown:
    """What a block of code has brought to light."""

    text: str = ""
    html: str = ""
    figures: list[bytes] = field(default_factory=list)


class Program:
    """The blocks of a page: what each shows, out of the page's folder or by running it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.number = 0
        self.key = ""
        self.waiting = []  # what would have to run before the next one, were its result not kept
        self.namespace = {"__name__": "__main__"}
        self.place = tempfile.mkdtemp(prefix="skfer_page_")
        weakref.finalize(self, shutil.rmtree, self.place, ignore_errors=True)

    def find(self, code):
        """What is kept of the next block, or None if its program was another one."""
        self.number += 1
        self.key = hashlib.sha256(f"{self.key}\n{code.strip()}".encode()).hexdigest()[:16]
        self.waiting.append(code)
        path = self.folder / f"{self.number}.json"
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if found.get("program") != self.key:
            return None
        return Shown(found["text"], found["html"], [path.read_bytes() for path in self.pictures()])

    def show(self, code, again=False):
        """What the next block shows: kept, or run now."""
        shown = self.find(code)
        if shown is None or again:
            for block in self.waiting:
                shown = execute(block, self.namespace, self.place)
            self.waiting = []
            self.write(shown)
        return shown

    def write(self, shown):
        """Keep what this block has shown."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.pictures():
            path.unlink()
        for number, figure in enumerate(shown.figures):
            (self.folder / f"{self.number}-{number}.png").write_bytes(figure)
        found = {"program": self.key, "text": shown.text, "html": shown.html}
        path = self.folder / f"{self.number}.json"
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

    def pictures(self):
        """The files of this block's figures."""
        return sorted(self.folder.glob(f"{self.number}-*.png"))


def folder_of(page):
    """Where the results of a page are kept."""
    return KEPT / Path(page).resolve().relative_to(DOCS).with_suffix("")


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
    """Every open figure as PNG of 256 colors, as plots need no more; they are closed."""
    import matplotlib.pyplot as plt
    from PIL import Image

    pictures = []
    for number in plt.get_fignums():
        drawn, small = io.BytesIO(), io.BytesIO()
        plt.figure(number).savefig(drawn, dpi=110, bbox_inches="tight", format="png")
        image = Image.open(drawn).convert("RGB")
        image.quantize(256, kmeans=1, dither=Image.Dither.NONE).save(small, "png", optimize=True)
        pictures.append(small.getvalue())
    plt.close("all")
    return pictures


def main():
    """Compute what pages show, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="+", type=Path, help="files of the docs")
    parser.add_argument("--again", action="store_true", help="also what is kept")
    options = parser.parse_args()
    for page in options.pages:
        program = Program(folder_of(page))
        for code in blocks_of(page):
            start = time.perf_counter()
            shown = program.show(code, options.again)
            took, drawn = time.perf_counter() - start, len(shown.figures)
            print(f"{page.stem} {program.number}: {took:.1f} s, {drawn} figures", flush=True)
            print(textwrap.indent(shown.text, "    "), end="", flush=True)


if __name__ == "__main__":
    main()
