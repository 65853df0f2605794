"""Sphinx configuration: `sphinx-build -W docs docs/_build`."""

import sys
from pathlib import Path

import skfer

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from source_links import source_url

project = "skfer"
author = "The skfer developers"
copyright = author
version = release = skfer.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.linkcode",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "citation",
    "results",
    "used_in",
]
root_doc = "index"
templates_path = ["_templates"]
exclude_patterns = [
    "_build",
    "_ext",
    "_results",
    "inventories",
    "**sg_execution_times.rst",
    "sg_execution_times.rst",
]
default_role = "literal"

autosummary_generate = True
toc_object_entries_show_parents = "hide"  # names fit beside the page
autodoc_typehints = "none"  # the docstrings tell the types
numpydoc_show_class_members = False  # the template lists them
numpydoc_xref_param_type = False

myst_heading_anchors = 2

# Of a session only lines with a prompt are copied: a traceback goes with the output.
copybutton_prompt_text = r">>> |\.\.\.(?: |$)|\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .go"

# The inventories are kept beside this file, so that a build needs no network: inventories/make.py.
intersphinx_mapping = {
    "sklearn": ("https://scikit-learn.org/stable", "inventories/sklearn.inv"),
    "torch": ("https://docs.pytorch.org/docs/stable", "inventories/torch.inv"),
    "skorch": ("https://skorch.readthedocs.io/en/stable", "inventories/skorch.inv"),
    "numpy": ("https://numpy.org/doc/stable", "inventories/numpy.inv"),
    "matplotlib": ("https://matplotlib.org/stable", "inventories/matplotlib.inv"),
}

# One example alone: sphinx-build -D sphinx_gallery_conf.filename_pattern=plot_quickstart ...
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "within_subsection_order": "example_order.place",
    "doc_module": ("skfer",),
    "backreferences_dir": "generated/backreferences",
    "reset_modules": ("matplotlib",),
    "download_all_examples": False,
    "show_signature": False,
    "capture_repr": (),  # what is to be seen is printed or drawn
    "min_reported_time": 1,
}

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["skfer.css"]
html_js_files = ["skfer.js"]
html_title = f"skfer {release}"
html_favicon = "_static/logo.svg"
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "skfer", "image_light": "_static/logo.svg", "image_dark": "_static/logo.svg"},
    "github_url": "https://github.com/skfer/skfer",
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_nav_level": 1,
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "install": [], "faq": [], "changelog": [], "citation": []}

linkcode_resolve = source_url


def skip_foreign(app, what, name, member, skip, options):
    """Leave out members that are inherited from other packages: documented there.

    So are the methods of tuples; the fields of a named one stand among its parameters.
    """
    if type(member).__name__ in ("_tuplegetter", "method_descriptor"):
        return True
    member = getattr(member, "fget", None) or getattr(member, "__func__", member)
    home = getattr(member, "__module__", None)
    return True if home is not None and not home.startswith("skfer") else None


def setup(app):
    """Connect what sphinx calls."""
    app.connect("autodoc-skip-member", skip_foreign)
