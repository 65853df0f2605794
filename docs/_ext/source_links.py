"""Where the source of a name stands, for the links beside it."""

import importlib
import inspect
from pathlib import Path

import skfer

REPOSITORY = "https://github.com/skfer/skfer"


def source_url(domain, info):
    """The address of an object's lines on the web, or None if they are not ours."""
    if domain != "py" or not info["module"]:
        return None
    thing = importlib.import_module(info["module"])
    for part in info["fullname"].split("."):
        thing = getattr(thing, part, None)
    thing = inspect.unwrap(getattr(thing, "fget", None) or thing)
    try:
        path = Path(inspect.getsourcefile(thing))
        lines, first = inspect.getsourcelines(thing)
    except (OSError, TypeError):  # a value, or nothing that Python wrote
        return None
    package = Path(skfer.__file__).parent
    if not path.is_relative_to(package):
        return None
    place = path.relative_to(package.parent).as_posix()
    return f"{REPOSITORY}/blob/{revision()}/{place}#L{first}-L{first + len(lines) - 1}"


def revision():
    """The tag of a release, and main for what is not released."""
    version = skfer.__version__
    return "main" if "dev" in version else f"v{version}"
