"""Settings that tables share."""

from typing import Any

NOISE: dict[str, Any] = {
    "backbone": "scratch",
    "max_epochs": 40,
    "samples_per_class": 8,
    "mirror": False,
}
"""Losses are compared from noise and with one budget, so that a row tells of the loss alone."""
