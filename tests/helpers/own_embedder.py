"""The classes that the guide page about an embedder of your own defines, in its words."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "own_embedder.rst"

for example in doctest.DocTestParser().get_examples(PAGE.read_text(encoding="utf-8")):
    if example.source.startswith(("import", "from", "class")):
        exec(example.source)
