"""`skfer datasets check`."""

from PIL import Image

from skfer.cli import main
from skfer.cli.exit_codes import FAILED, INCOMPLETE


def test_datasets_check(tmp_path, capsys):
    Image.new("L", (256, 256)).save(tmp_path / "KA.AN1.39.tiff")
    assert main(["datasets", "check", "jaffe", str(tmp_path)]) == INCOMPLETE
    assert "anger" in capsys.readouterr().out
    assert main(["datasets", "check", "jaffe", str(tmp_path / "none")]) == FAILED


def test_the_root_of_a_check_is_no_option(tmp_path, capsys):
    assert main(["datasets", "check", "jaffe", str(tmp_path / "none")]) == FAILED
    assert capsys.readouterr().err.startswith(f"skfer: error: ROOT '{tmp_path}/none' does not")


def test_broken_pictures_are_seen_by_decoding(tmp_path, capsys):
    for i, word in enumerate(("happy", "sad")):
        (tmp_path / word).mkdir()
        Image.new("L", (40, 40), i).save(tmp_path / word / "a.png")
    (tmp_path / "sad" / "b.png").write_bytes(b"")
    call = ["datasets", "check", "folder", str(tmp_path)]
    assert main(call) == 0
    assert "--decode tells of those that cannot be read" in capsys.readouterr().out
    assert main([*call, "--decode"]) == INCOMPLETE
    out = capsys.readouterr().out
    assert "sad/b.png: an empty file" in out
    assert "--decode" not in out
