"""Which device and which arithmetic a name stands for."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

import skfer
from skfer.embedders._devices import check_device, find_device, find_precision
from skfer.exceptions import ArgumentError

MULTIPLIES = "skfer.embedders._devices.multiplies_bfloat16"


def test_mps_is_found(monkeypatch):
    monkeypatch.setattr(torch.mps, "is_available", lambda: True)
    assert find_device("mps") == torch.device("mps")


@pytest.mark.parametrize("device", [3, None, torch.device("cpu")])
def test_a_device_is_a_text(device):
    with pytest.raises(ArgumentError, match=r"^device must be 'auto', 'cpu' or 'cuda', got "):
        check_device(device)


def test_a_device_is_one_of_torch():
    """It need not be there: a loaded model tells when it is used."""
    for device in ("auto", "cpu", "cuda:99", "mps"):
        check_device(device)
    for check in (check_device, find_device):
        with pytest.raises(ArgumentError, match=r"^device='warp' is not a device of torch: use"):
            check("warp")


def test_mps_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match="torch finds no MPS"):
        find_device("mps")


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
@pytest.mark.parametrize("native", [False, True])
def test_what_auto_computes_in(device, native, monkeypatch):
    monkeypatch.setattr(MULTIPLIES, lambda device: native)
    device = torch.device(device)
    of_a_fit = "bfloat16" if native and device.type == "cuda" else "float32"
    assert find_precision("auto", device) == of_a_fit
    assert find_precision("auto", device, "float32") == "float32"
    assert find_precision("auto", device, "bfloat16") == ("bfloat16" if native else "float32")
    for name in ("float32", "bfloat16"):
        assert find_precision(name, device) == find_precision(name, device, "bfloat16") == name


def saved(model, folder):
    skfer.save(model, folder / "model.skfer")
    return skfer.load(folder / "model.skfer")


KEPT = {
    "as it is": lambda model, folder: model,
    "pickled": lambda model, folder: pickle.loads(pickle.dumps(model)),
    "saved": saved,
}


@pytest.mark.parametrize("keep", KEPT.values(), ids=KEPT)
def test_a_model_computes_as_it_was_fitted(keep, rows, tmp_path, monkeypatch):
    X, y = rows
    answers = {}
    for fitted in ("float32", "bfloat16"):
        model = skfer.CrossEntropyEmbedder(8, max_epochs=1, precision=fitted, random_state=0)
        model = keep(model.fit(X, y), tmp_path)
        for precision in ("float32", "bfloat16"):
            answers[precision] = model.set_params(precision=precision).transform(X)
        assert not np.array_equal(answers["float32"], answers["bfloat16"])
        model.set_params(precision="auto")
        for native, expected in ((False, "float32"), (True, fitted)):
            monkeypatch.setattr(MULTIPLIES, lambda device, native=native: native)
            assert_array_equal(model.transform(X), answers[expected])
