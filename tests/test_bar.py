"""The progress bar that all rooms share."""

import subprocess
import sys

NOTEBOOK = """
import sys, types

class ZMQInteractiveShell: pass

sys.modules["ipykernel.zmqshell"] = types.ModuleType("ipykernel.zmqshell")
sys.modules["IPython"] = types.ModuleType("IPython")
sys.modules["IPython"].get_ipython = ZMQInteractiveShell
sys.modules["ipywidgets"] = None
import skfer._bar
print(skfer._bar.tqdm.__module__)
"""


def test_a_notebook_without_widgets_has_a_bar_of_text_and_no_warning():
    command = [sys.executable, "-W", "always", "-c", NOTEBOOK]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.stdout.strip() != "tqdm.notebook"
    assert found.stderr == ""
