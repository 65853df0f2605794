"""The pages of the docs whose code runs when they are built, here with one pass a fit."""

import importlib.util
from pathlib import Path

import pytest
from helpers import fake_timm

from skfer.embedders import base

DOCS = Path(__file__).parents[1] / "docs"


def load(name):
    """A file of the docs' own extensions."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


page_code = load("page_code")
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
    used_in = load("used_in")
    names = used_in.api_names()
    assert len(names) > 150
    nowhere = [
        full
        for full in names
        if not used_in.pages_with(name := full.rpartition(".")[2])
        and not used_in.gallery_with(name)
    ]
    assert not nowhere, "use them on a page of the guide, or in an example"


def test_a_name_is_found_in_the_docstrings_of_others():
    found = load("used_in").docstrings_with("skfer.evaluation.Cell")
    assert "skfer.evaluation.Table" in found
    assert "skfer.evaluation.Cell" not in found


def test_a_name_is_found_on_the_pages_whose_code_uses_it(tmp_path, monkeypatch):
    used_in = load("used_in")
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
