import re

import pytest

from hashzoo.cli import main


def fails(capsys, *words):
    """Exit 2 with one line on stderr and nothing on stdout; returns the line."""
    try:
        status = main(words)
    except SystemExit as stop:  # argparse
        status = stop.code
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    return captured.err


def test_every_protocol_has_a_row(capsys):
    assert main(["data", "show"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^cifar10@59k +5,000 +1,000 +59,000 +mAP@all", out, re.M)
    assert re.search(r"^digits@standard", out, re.M)


def test_a_dataset_that_is_there_shows_its_classes_and_split(capsys):
    assert main(["data", "show", "digits"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^all images +1,437 +360 +1,437$", out, re.M)
    assert re.search(r"^split [0-9a-f]{64}$", out, re.M)


def test_a_dataset_that_is_not_there_shows_what_is_known(capsys, tmp_path):
    assert main(["data", "show", "cifar10@54k", "--data-root", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "  database     54,000 images" in out
    assert "not on this machine: cifar10: expected cifar-10-batches-py/" in out


def test_verify_says_that_a_dataset_is_whole(capsys):
    assert main(["data", "verify", "digits"]) == 0
    assert capsys.readouterr().out.startswith("digits@standard: whole (1,437 train, 360 query, 1,437 database), split ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("verify", "svhn", "--data-root", "nowhere"), "svhn: expected train_32x32.mat, test_32x32.mat in nowhere"),
        (("verify", "cifr10"), "did you mean 'cifar10'"),
        (("show", "cifar10@60k"), "no protocol of 'cifar10' named '60k'"),
        (("show", "digits", "--split-seed", "-1"), "--split-seed: expected a whole number from 0"),
        ((), "the following arguments are required: ACTION"),
    ],
)
def test_mistakes(capsys, words, message):
    assert message in fails(capsys, "data", *words)


def test_verify_counts(capsys, tmp_path):
    from PIL import Image

    for split in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / "cifar10" / split / name
            folder.mkdir(parents=True)
            Image.new("RGB", (32, 32)).save(folder / "1.png")
    line = fails(capsys, "data", "verify", "cifar10", "--data-root", str(tmp_path))
    assert "expected 50,000 train, 10,000 query, 50,000 database images, got 2 train, 2 query, 2 database" in line
