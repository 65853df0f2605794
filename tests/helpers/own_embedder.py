"""The classes that the guide page about an embedder of your own defines, in its words."""

import ast
import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "guide" / "own_embedder.rst"
DEFINITIONS = ast.Import | ast.ImportFrom | ast.ClassDef | ast.FunctionDef

blocks_of = runpy.run_path(str(DOCS / "_ext" / "page_code.py"))["blocks_of"]
for block in blocks_of(PAGE):
    tree = ast.parse(block)
    tree.body = [statement for statement in tree.body if isinstance(statement, DEFINITIONS)]
    exec(compile(tree, str(PAGE), "exec"))
