"""Progress bars: a notebook's own in a notebook that can show one, and text elsewhere."""

import warnings

from tqdm import TqdmWarning

with warnings.catch_warnings():
    # A notebook without ipywidgets gets a bar of text, of which nobody has to be warned.
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm

__all__ = ["tqdm"]
