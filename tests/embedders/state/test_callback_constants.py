"""Which constants of a callback are part of a fit: those that its module and its class set."""

import importlib
import itertools
import sys
import time

import pytest
from helpers.digests import key
from skorch.callbacks import Callback

from skfer.training import StopTraining

CODE = """
import sys, time
from skorch.callbacks import Callback
from {module}_settings import FAR as far

{line}

class Decay(Callback):
    {inside}
    n_calls = n_copies = n_of_all = 0

    def on_epoch_end(self, net, **kwargs):
        print(RATE * far * self.rate)
        net.rate = self.rate
        net.rate *= 2
        type(self).n_calls += 1
        self.__class__.n_copies = 3
        Decay.n_of_all -= 1
"""
NUMBERS = itertools.count()
LINE, INSIDE = "RATE = 0.1", "rate = 0.5"


@pytest.fixture
def module_of(tmp_path, monkeypatch):
    """Write a module and import it: another one each time, unless it is loaded again."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    names = []

    def made(line=LINE, inside=INSIDE, far="FAR = 2", *, again=False):
        if not again:
            names.append(f"own_decay_{next(NUMBERS)}")
        name = names[-1]
        (tmp_path / f"{name}_settings.py").write_text(far)
        (tmp_path / f"{name}.py").write_text(CODE.format(module=name, line=line, inside=inside))
        importlib.invalidate_caches()
        return importlib.reload(sys.modules[name]) if again else importlib.import_module(name)

    yield made
    for name in names:
        del sys.modules[name], sys.modules[f"{name}_settings"]


@pytest.fixture
def keys_of(module_of):
    """Make the key of a callback of such a module."""
    return lambda *args, **kwargs: key([module_of(*args, **kwargs).Decay()])


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("RATE = 0.1", "RATE = 0.9"),
        ("RATE = 1 / 10", "RATE = 9 / 10"),
        ("RATE: float = -(1 + 2) ** 2", "RATE: float = -(1 + 3) ** 2"),
        ("RATE, N = 0.1, 3", "RATE, N = 0.9, 3"),
        ("RATE, T = 0.1, time.time()", "RATE, T = 0.9, time.time()"),
        ("(RATE, N), *REST = (0.1, 3), 4", "(RATE, N), *REST = (0.9, 3), 4"),
        ("RATE = N = 0.1", "RATE = N = 0.9"),
        ("BASE = 1\nRATE = BASE / 10", "BASE = 9\nRATE = BASE / 10"),
        ("if __name__ != 'here':\n    RATE = 0.1", "if __name__ != 'here':\n    RATE = 0.9"),
        ("try:\n    pass\nfinally:\n    RATE = 1", "try:\n    pass\nfinally:\n    RATE = 9"),
        ("for RATE in (0.1, 0.2):\n    pass", "for RATE in (0.1, 0.3):\n    pass"),
        ("RATES = [1, 2]\nRATE = RATES[0]", "RATES = [1, 2]\nRATE = RATES[1]"),
    ],
)
def test_a_constant_of_the_module_counts(keys_of, line, other):
    assert keys_of(line) == keys_of(line)
    assert keys_of(line) != keys_of(other)


@pytest.mark.parametrize(
    "line",
    [
        "RATE = time.time()",
        "T = time.time()\nRATE = T + 1",
        "N, RATE = 3, time.time()",
        "RATE: float = time.time()",
        "RATE = __name__",
        "def start():\n    global RATE\n    RATE = time.time()\nstart()",
        "for RATE in [time.time()]:\n    pass",
    ],
)
def test_what_differs_in_every_process_does_not_count(keys_of, line):
    assert keys_of(line) == keys_of(line)


def test_a_constant_of_another_module_counts(keys_of):
    assert keys_of(far="FAR = 2") != keys_of(far="FAR = 3")


def test_a_constant_of_the_class_counts_but_not_what_it_counts(keys_of, module_of):
    before = keys_of()
    assert before == keys_of()
    assert before != keys_of(inside="rate = 0.6")
    kind = module_of().Decay
    kind.n_calls, kind.n_copies, kind.n_of_all = 4, 5, 6
    assert key([kind()]) == before


def test_a_module_that_is_edited_and_loaded_again(keys_of):
    keys = [keys_of("pass"), keys_of(again=True), keys_of("RATE = 0.9", again=True)]
    assert len(set(keys)) == 3


CELLS = """
from skorch.callbacks import Callback

class Decay(Callback):
    def on_epoch_end(self, net, **kwargs):
        print(RATE)
"""


def test_without_a_source_all_constants_count():
    """As those of a notebook, of which each cell is code of its own."""
    space = {"__name__": "__main__"}
    exec(CELLS, space)
    keys = [key([space["Decay"]()]) for space["RATE"] in (0.1, 0.9, 0.1)]
    assert keys[0] == keys[2] != keys[1]


def test_a_star_does_not_tell_what_it_brings(module_of):
    one = module_of("RATE = 0.1")
    line = f"from {one.__name__} import *"
    assert key([module_of(line).Decay()]) == key([module_of(line).Decay()])
    keys = []
    for one.RATE in (0.1, 0.9):
        keys.append(key([module_of(line).Decay()]))
    assert keys[0] != keys[1]


def test_a_cell_that_a_debugger_has_written_to_a_file(tmp_path):
    """Which is not all of its notebook: the constant stands in another cell."""
    file = tmp_path / "cell.py"
    file.write_text(CELLS)
    space = {"__name__": "__main__"}
    exec(compile(file.read_bytes(), file, "exec"), space)
    keys = [key([space["Decay"]()]) for space["RATE"] in (0.1, 0.9)]
    assert keys[0] != keys[1]


def test_of_a_script_whose_module_is_another_one_in_a_worker(tmp_path):
    file = tmp_path / "script.py"
    keys = []
    for rate in (0.1, 0.9):
        file.write_text(f"{CELLS}\nRATE, STARTED = {rate}, None\n")
        space = {"__name__": "__main__"}
        exec(compile(file.read_bytes(), file, "exec"), space)
        keys.append(key([space["Decay"]()]))
    assert keys[0] != keys[1]


STARTED = time.time()
FACTOR = 2.0


class Limited(Callback):
    """Names a number that differs in every process, and one that does not."""

    def on_epoch_end(self, net, **kwargs):
        if time.time() - STARTED > 3600 * FACTOR:
            raise StopTraining


def test_of_a_callback_the_constants_count_that_its_module_writes(monkeypatch):
    before = key(Limited())
    monkeypatch.setitem(globals(), "STARTED", STARTED + 1)
    assert key(Limited()) == before
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    assert key(Limited()) != before
