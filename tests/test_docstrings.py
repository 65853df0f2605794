"""What docstrings and the user guide show runs, and everything public documents what it takes."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import skfer
from skfer.embedders import BaseEmbedder

GUIDE = sorted((Path(__file__).parents[1] / "docs" / "guide").glob("*.rst"))
API = Path(__file__).parents[1] / "docs" / "api.rst"
MODULES = ["skfer"] + [module.name for module in pkgutil.walk_packages(skfer.__path__, "skfer.")]

# Rooms for the other rooms alone: what users need of them is public elsewhere.
INTERNAL = {"skfer._bar", "skfer._typing", "skfer.cli", "skfer.pictures", "skfer.validation"}

LONG = {"skfer.pretraining.make_ready"}  # minutes: its example is a command

# No docstring; a summary that is missing or no sentence; parameters that are undocumented, unknown,
# in another order, or without a type or a description.
CODES = {"GL08", "SS01", "SS03", "PR01", "PR02", "PR03", "PR04", "PR07"}


def public_objects():
    """Full names of all public classes and functions, each once, and what they name."""
    found = {}
    rooms = [name for name in MODULES if name not in INTERNAL]
    for room in map(importlib.import_module, rooms):
        for name in getattr(room, "__all__", []):
            thing = getattr(room, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                found.setdefault(thing, f"{room.__name__}.{name}")
    return {name: thing for thing, name in found.items()}


def own_methods(cls):
    """Names of a class's public methods, without those that other packages know.

    What overrides a method of torch, skorch or scikit-learn is documented there.
    """
    bases = inspect.getmro(cls)
    ours = [base for base in bases if base.__module__.startswith("skfer")]
    known = {name for base in bases if base not in ours for name in vars(base)}
    return sorted(
        {
            name
            for base in ours
            for name, value in vars(base).items()
            if inspect.isfunction(value) and not name.startswith("_") and name not in known
        }
    )


def is_hook(thing, place):
    """Whether a method overrides one of BaseEmbedder, where its parameters are documented."""
    method = place.rpartition(".")[2]
    is_embedder = inspect.isclass(thing) and issubclass(thing, BaseEmbedder)
    return is_embedder and thing is not BaseEmbedder and hasattr(BaseEmbedder, method)


def is_accepted(code, thing, place, docstring):
    """Whether a fault is a way of writing that we allow."""
    if code == "PR01":
        # Fields of a named tuple are attributes. Helpers of those who write a new embedder may say
        # in a line what they take.
        is_tuple = inspect.isclass(thing) and issubclass(thing, tuple)
        return is_tuple or place.startswith("skfer.training.") or is_hook(thing, place)
    return code == "PR04" and "As in " in docstring  # the type too is told elsewhere


OBJECTS = public_objects()


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_run(module):
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    report = []
    for example in finder.find(importlib.import_module(module)):
        runner.run(example, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)


@pytest.mark.parametrize("page", [*GUIDE, API], ids=lambda page: page.stem)
def test_examples_in_the_guide_run(page):
    failed, _ = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert failed == 0


def test_api_reference_names_everything_public():
    listed = API.read_text(encoding="utf-8").split()
    missing = [name for name in OBJECTS if name.rpartition(".")[2] not in listed]
    assert not missing


def public_values():
    """Full names of what is public, and neither a class nor a function."""
    rooms = [name for name in MODULES if name not in INTERNAL]
    return {
        f"{room}.{name}": name
        for room in rooms
        for name in getattr(importlib.import_module(room), "__all__", [])
        if not callable(getattr(importlib.import_module(room), name))
        and not inspect.ismodule(getattr(importlib.import_module(room), name))
        and not name.startswith("__")
    }


def test_public_values_have_a_text_an_example_and_where_to_go_on():
    texts = re.split(r"^\.\. data:: ", API.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    told = {text.split("\n", 1)[0]: text.split("\n\n\n")[0] for text in texts}
    assert told.keys() >= set(public_values().values())
    for name, text in told.items():
        assert ">>> " in text, name
        assert "See also " in text, name


def callables(thing):
    """A function, or a class and its methods; exceptions are made by Python."""
    if not inspect.isclass(thing):
        return [thing]
    if issubclass(thing, BaseException):
        return []
    return [thing, *(getattr(thing, method) for method in own_methods(thing))]


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_docstring_shows_an_example_and_where_to_go_on(name):
    docstring = NumpyDocString(inspect.getdoc(OBJECTS[name]))
    assert docstring["Examples"]
    assert any(">>>" in line for line in docstring["Examples"]) or name in LONG
    assert docstring["See Also"]
    for links, _ in docstring["See Also"]:
        for target, _ in links:
            assert is_there(target, OBJECTS[name]), target


def is_there(target, thing):
    """Whether a name of See Also, full or of the same room, can be found."""
    if target.split(".")[0] in ("sklearn", "skorch"):
        return True
    rooms = [room for room in MODULES if getattr(importlib.import_module(room), target, None)]
    room, _, name = target.rpartition(".")
    return bool(rooms) if not room else pkgutil.resolve_name(f"{room}:{name}") is not None


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_signature_is_readable(name):
    own = f"'{name.rpartition('.')[2]}'"  # a class has no name yet where its methods are defined
    for one in callables(OBJECTS[name]):
        signature = str(inspect.signature(one)).replace(own, "itself")
        assert not re.search(r"(: |-> )'", signature)  # types, not quoted strings
        assert "_array_like" not in signature  # no unfolded aliases of numpy


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_docstring_is_complete(name):
    thing = OBJECTS[name]
    methods = own_methods(thing) if inspect.isclass(thing) else []
    faults = []
    for place in (name, *(f"{name}.{method}" for method in methods)):
        found = validate(place)
        faults += [
            f"{place}: {code} {text}"
            for code, text in found["errors"]
            if code in CODES and not is_accepted(code, thing, place, found["docstring"])
        ]
    assert not faults, "\n".join(faults)
