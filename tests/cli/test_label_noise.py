"""`--label-noise`: many labels may be wrong."""

import pytest

from skfer.cli import main
from skfer.cli._evaluate import wanted_methods
from skfer.cli._train import wanted_embedder
from skfer.cli.options import make_parser


def test_commands_pass_it_on():
    trained = make_parser().parse_args(["train", "--label-noise", "-o", "x.skfer"])
    assert wanted_embedder(trained).label_noise
    compared = make_parser().parse_args(["evaluate", "--label-noise"])
    methods = wanted_methods(compared)
    assert all(method.label_noise for name, method in methods.items() if name != "pca")
    assert not wanted_methods(make_parser().parse_args(["evaluate"]))["gaussian"].label_noise


@pytest.mark.parametrize(("given", "expected"), [("0.2", 0.2), ("auto", "auto"), ("0", 0)])
def test_the_share_may_be_given(given, expected):
    train = make_parser().parse_args(["train", "--label-noise", given, "-o", "x.skfer"])
    assert wanted_embedder(train).label_noise == expected


@pytest.mark.parametrize("given", ["0.5", "-1", "nan", "many"])
def test_what_is_no_share_is_refused(given, capsys):
    with pytest.raises(SystemExit):
        make_parser().parse_args(["train", f"--label-noise={given}", "-o", "x.skfer"])
    assert f"{given!r} is neither 'auto' nor a number" in capsys.readouterr().err


def test_training_tells_how_many_seem_wrong(capsys, tmp_path):
    drawn = ["train", "--epochs", "1", "--max-per-class", "20"]
    assert main([*drawn, "--label-noise", "auto", "-o", str(tmp_path / "robust.skfer")]) == 0
    assert "of the labels 0% seem to be wrong" in capsys.readouterr().out
    assert main([*drawn, "--label-noise", "-o", str(tmp_path / "plain.skfer")]) == 0
    assert "seem to be wrong" not in capsys.readouterr().out
