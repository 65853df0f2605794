"""A stand-in for timm, which needs a torchvision that goes with torch."""

import sys
import types

from torch import nn


class FakeModel(nn.Module):
    """What timm's models have in common."""

    num_features = 6

    def __init__(self, in_chans, layout):
        super().__init__()
        self.conv = nn.Conv2d(in_chans, 6, 3, 2)
        self.norm = nn.BatchNorm2d(6)
        self.layout = layout

    def forward_features(self, x):
        x = self.norm(self.conv(x))
        if self.layout == "nhwc":
            return x.permute(0, 2, 3, 1)
        return x.flatten(2).transpose(1, 2) if self.layout == "tokens" else x

    def forward_head(self, x, pre_logits):
        assert pre_logits
        return x.mean(1)


def create_model(name, pretrained, in_chans=3, num_classes=0):
    """A network without its classifier."""
    assert not pretrained
    assert num_classes == 0
    return FakeModel(in_chans, name)


def put_in_place(monkeypatch, names=("cnn", "nhwc", "tokens")):
    """Make `import timm` give the stand-in, which knows these names."""
    fake = types.ModuleType("timm")
    fake.is_model = lambda name: name in names
    fake.get_pretrained_cfg_value = lambda name, key: "logit_layer" if key == "classifier" else None
    fake.create_model = create_model
    monkeypatch.setitem(sys.modules, "timm", fake)
    return fake
