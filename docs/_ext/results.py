"""The directive ``run``: code with what it prints and draws, computed once and then kept.

The blocks of a page are one program. What a block shows is kept in ``docs/_results`` under the hash
of that program up to the block and of the whole package, so that a page is computed again when its
code or skfer changes. As with doctest, a page's code is plain text and runs in the tests too.
"""

import base64
import hashlib
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from page_code import Shown, execute

import skfer


def package_hash():
    """The hash of all of skfer's sources and of the versions that its numbers hang on."""
    import sklearn
    import torch

    package = Path(skfer.__file__).parent
    digest = hashlib.sha256(f"{torch.__version__} {sklearn.__version__}".encode())
    for path in sorted(package.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class Page:
    """The program of a page: what has run, and what would have to, were its result not kept."""

    def __init__(self, start):
        self.key = start
        self.waiting = []
        self.namespace = {"__name__": "__main__"}
        self.folder = tempfile.TemporaryDirectory(prefix="skfer_page_")

    def show(self, code, kept):
        """What a block shows, from the folder of kept results or by running it."""
        self.key = hashlib.sha256(f"{self.key}\n{code}".encode()).hexdigest()
        self.waiting.append(code)
        path = kept / f"{self.key[:24]}.json"
        if path.exists():
            return read(path)
        for block in self.waiting:
            shown = execute(block, self.namespace, self.folder.name)
        self.waiting = []
        write(path, shown)
        return shown


def write(path, shown):
    """Keep what was shown."""
    path.parent.mkdir(exist_ok=True)
    figures = [base64.b64encode(figure).decode() for figure in shown.figures]
    path.write_text(json.dumps(asdict(shown) | {"figures": figures}), encoding="utf-8")


def read(path):
    """What was kept."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return Shown(**found | {"figures": [base64.b64decode(text) for text in found["figures"]]})


class Run(Directive):
    """``.. run::`` with code beneath, and ``:alt:`` where it draws."""

    has_content = True
    option_spec = {"alt": directives.unchanged_required}  # noqa: RUF012 (docutils asks for it)

    def run(self):
        """The code, what it printed, its value, its figures."""
        env = self.state.document.settings.env
        code = "\n".join(self.content)
        block = nodes.literal_block(code, code, language="python")
        if not env.config.run_code:
            return [block]
        page = env.temp_data.setdefault("skfer_page", Page(env.app.skfer_hash))
        kept = Path(env.srcdir) / "_results"
        try:
            shown = page.show(code, kept)
        except Exception as error:
            raise self.error(f"this code fails: {type(error).__name__}: {error}") from error
        if shown.figures and "alt" not in self.options:
            raise self.error("this code draws: say what is to be seen in :alt:")
        return [block, *self.results(shown, kept, page.key[:24])]

    def results(self, shown, kept, key):
        """Nodes for all but the code."""
        found = []
        if shown.text.strip():
            text = shown.text.rstrip()
            found.append(nodes.literal_block(text, text, language="none", classes=["output"]))
        if shown.html:
            box = nodes.container(classes=["output-html"])
            box += nodes.raw("", shown.html, format="html")
            found.append(box)
        for number, figure in enumerate(shown.figures):
            name = f"{key}-{number}.png"
            (kept / name).write_bytes(figure)
            found.append(nodes.image(uri=f"/_results/{name}", alt=self.options["alt"]))
        return found


def setup(app):
    """Tell sphinx of the directive."""
    app.skfer_hash = package_hash()
    app.add_config_value("run_code", default=True, rebuild="env", types=[bool, str])
    app.add_directive("run", Run)
    return {"parallel_read_safe": True}
