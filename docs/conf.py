"""Sphinx configuration: `sphinx-build -W docs docs/_build`."""

import skfer

project = "skfer"
author = "The skfer developers"
copyright = author
version = release = skfer.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
root_doc = "index"
source_suffix = {".rst": "restructuredtext"}
templates_path = ["_templates"]
exclude_patterns = ["_build"]
default_role = "literal"

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings tell the types
numpydoc_show_class_members = False  # the template lists them
numpydoc_xref_param_type = False

# One example alone: sphinx-build -D sphinx_gallery_conf.filename_pattern=plot_quickstart ...
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "doc_module": ("skfer",),
    "backreferences_dir": "generated/backreferences",
    "reset_modules": ("matplotlib",),
    "download_all_examples": False,
    "show_signature": False,
    "min_reported_time": 1,
}

html_theme = "alabaster"
html_static_path = ["_static"]
html_title = f"skfer {release}"
html_show_sourcelink = False
html_theme_options = {
    "description": "Facial expression recognition by deep metric learning, as scikit-learn "
    "estimators",
    "page_width": "1100px",
    "sidebar_width": "240px",
    "fixed_sidebar": True,
}


def skip_foreign(app, what, name, member, skip, options):
    """Leave out members that are inherited from other packages: documented there."""
    member = getattr(member, "fget", None) or getattr(member, "__func__", member)
    home = getattr(member, "__module__", None)
    return True if home is not None and not home.startswith("skfer") else None


def setup(app):
    """Connect what sphinx calls."""
    app.connect("autodoc-skip-member", skip_foreign)
