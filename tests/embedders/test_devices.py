"""Which device a name stands for."""

import pytest
import torch

from skfer.embedders._devices import find_device


def test_mps_is_found_on_old_torch(monkeypatch):
    monkeypatch.delattr(torch.mps, "is_available", raising=False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert find_device("mps") == torch.device("mps")


def test_mps_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match="torch finds no MPS"):
        find_device("mps")
