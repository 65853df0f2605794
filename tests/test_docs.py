"""The pages of the docs whose code runs when they are built, here with one pass a fit."""

import ast
import doctest
import importlib.util
import inspect
import pkgutil
import re
import runpy
import sys
from pathlib import Path

import pytest
from helpers import fake_timm
from numpydoc.docscrape import NumpyDocString

from skfer.embedders import base

DOCS = Path(__file__).parents[1] / "docs"


def load(name):
    """A file of the docs' own extensions."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


page_code = load("page_code")
used_in = load("used_in")
PAGES = {path: page_code.blocks_of(path) for path in sorted(DOCS.glob("*/*.rst"))}
NEEDS = {"keeping": pytest.mark.onnx}
of_pages_with_code = pytest.mark.parametrize(
    "page",
    [
        pytest.param(path, marks=NEEDS.get(path.stem, ()), id=path.stem)
        for path, blocks in PAGES.items()
        if blocks
    ],
)


@of_pages_with_code
def test_code_of_pages_runs(page, tmp_path, monkeypatch):
    fake_timm.put_in_place(monkeypatch, names=["test_resnet"])
    monkeypatch.setattr(base, "count_epochs", lambda max_epochs, codes, **more: 1)
    namespace = {"__name__": "__main__"}
    for code in PAGES[page]:
        # What has hardly learned may warn.
        page_code.execute(code, namespace, tmp_path, on_warning="ignore")


@of_pages_with_code
def test_results_of_pages_are_kept(page):
    program = page_code.Program(page_code.folder_of(page))
    missing = [k for k, code in enumerate(PAGES[page], start=1) if program.find(code) is None]
    assert not missing, f"run: python docs/_ext/page_code.py {page.relative_to(DOCS.parent)}"
    kept = sorted(path.stem for path in program.folder.glob("*.json"))
    assert kept == sorted(str(k + 1) for k in range(len(PAGES[page])))


def in_order(page, folder):
    """The code of a page from top to bottom, each piece with whether it is a session."""
    piece = folder / "piece.rst"
    for part in doctest.DocTestParser().parse(page.read_text(encoding="utf-8")):
        if isinstance(part, doctest.Example):
            yield True, part.source
        else:
            piece.write_text(part, encoding="utf-8")
            yield from ((False, code) for code in page_code.blocks_of(piece))


def taken_from_each_other(pieces):
    """Names of which blocks and sessions have both a value, and one finds that of the other."""
    last, bound, found = {}, {True: set(), False: set()}, []
    for session, code in pieces:
        for statement in ast.parse(code).body:
            names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
            stored = {name.id for name in names if isinstance(name.ctx, ast.Store)}
            read = {name.id for name in names} - stored
            found += sorted(name for name in read & bound[session] if last[name] != session)
            bound[session] |= stored
            last |= dict.fromkeys(stored, session)
    return found


@of_pages_with_code
def test_a_page_can_be_typed_from_top_to_bottom(page, tmp_path):
    """Blocks and sessions are tested each for themselves; who reads types both into one Python."""
    assert not taken_from_each_other(in_order(page, tmp_path))


def test_names_that_blocks_and_sessions_take_from_each_other_are_found(tmp_path):
    page = tmp_path / "page.rst"
    page.write_text(".. run::\n\n   x = y = 1\n\n>>> x = 2\n\nText\n\n.. run::\n\n   x + y\n")
    assert list(in_order(page, tmp_path)) == [
        (False, "x = y = 1"),
        (True, "x = 2\n"),
        (False, "x + y"),
    ]
    assert taken_from_each_other(in_order(page, tmp_path)) == ["x"]


def test_a_block_is_run_once_for_all(tmp_path):
    for value, runs in ((1, 2), (1, 0), (2, 2), (2, 0)):
        ran = []
        program = page_code.Program(tmp_path)
        program.namespace["ran"] = ran
        program.show(f"x = {value}\nran.append(x)")
        assert program.show("ran.append(x)\nprint(x)").text == f"{value}\n"
        assert len(ran) == runs


def test_pictures_that_a_block_no_longer_draws_are_removed(tmp_path):
    page_code.Program(tmp_path).show("import matplotlib.pyplot as plt\nplt.plot([1])")
    assert (tmp_path / "1-0.png").exists()
    assert page_code.Program(tmp_path).show("3").figures == []
    assert not (tmp_path / "1-0.png").exists()


def test_what_a_block_shows(tmp_path):
    page = tmp_path / "page.rst"
    page.write_text("Text\n\n.. run::\n   :alt: a\n\n   x = 3\n   print(x)\n   x + 1\n\nText")
    (code,) = page_code.blocks_of(page)
    assert code == "x = 3\nprint(x)\nx + 1"
    shown = page_code.execute(code, {}, tmp_path)
    assert (shown.text, shown.html, shown.figures) == ("3\n4\n", "", [])


def test_what_a_block_warns_of_is_an_error(tmp_path):
    code = "import warnings\nwarnings.warn('odd')"
    with pytest.raises(UserWarning, match="odd"):
        page_code.execute(code, {}, tmp_path)


def test_what_a_block_draws_is_taken(tmp_path):
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2])"
    shown = page_code.execute(code, {}, tmp_path)
    assert shown.figures[0].startswith(b"\x89PNG")
    assert shown.text == ""


def test_every_page_of_the_api_tells_where_its_name_is_used():
    names = used_in.api_names()
    assert len(names) > 150
    nowhere = [
        full
        for full in names
        if not used_in.pages_with(name := full.rpartition(".")[2])
        and not used_in.gallery_with(name)
    ]
    assert not nowhere, "use them on a page of the guide, or in an example"


def test_fields_of_public_named_tuples_are_in_their_docstrings():
    """Their pages show what the docstring says of them, and nothing else."""
    things = [pkgutil.resolve_name(":".join(full.rsplit(".", 1))) for full in used_in.api_names()]
    tuples = [thing for thing in things if hasattr(thing, "_fields")]
    assert len(tuples) > 4
    for thing in tuples:
        docstring = NumpyDocString(inspect.getdoc(thing))
        told = [one.name for part in ("Parameters", "Attributes") for one in docstring[part]]
        assert ", ".join(told).split(", ") == list(thing._fields), thing


def test_the_copy_button_takes_of_a_session_what_was_typed(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])  # the configuration puts something there
    conf = runpy.run_path(str(DOCS / "conf.py"))
    prompt = re.compile(f"^({conf['copybutton_prompt_text']})(.*)")
    # What the button goes by has to be there still: .gp are the prompts.
    assert ".gp" not in conf["copybutton_exclude"].split(", ")
    session = """\
>>> class Own:
...     x = 1
...
>>> fail(Own)
Traceback (most recent call last):
    ...
skfer.exceptions.ArgumentError: cv leaks:
fold 0: 1 subject
"""
    copied = [found[2] for line in session.splitlines() if (found := prompt.match(line))]
    assert copied == ["class Own:", "    x = 1", "", "fail(Own)"]


def test_a_name_is_found_in_the_docstrings_of_others():
    found = used_in.docstrings_with("skfer.evaluation.Cell")
    assert "skfer.evaluation.Table" in found
    assert "skfer.evaluation.Cell" not in found


def test_a_name_is_found_on_the_pages_whose_code_uses_it(tmp_path, monkeypatch):
    monkeypatch.setattr(used_in, "DOCS", tmp_path)
    texts = {
        "code": ".. run::\n\n   recall_at_k(Z, y)",
        "doctest": ">>> recall_at_k(Z, y)",
        "link": ":func:`~skfer.metrics.recall_at_k` counts.",
        "word": "recall_at_k is a word here",
        "longer": ">>> mean_recall_at_k(Z)",
        "index": ">>> recall_at_k(Z, y)",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.rst").write_text(text)
    found = used_in.pages_with("recall_at_k", sorted(tmp_path.glob("*.rst")))
    assert found == ["code", "doctest", "link"]
