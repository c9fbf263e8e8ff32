import json
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from hashzoo.cli import main

LSH = ["run", "lsh", "--dataset", "folder", "--bits", "12"]


def fails(capsys, *words):
    """Exit 2 with one line on stderr and nothing on stdout; returns the line."""
    try:
        status = main(words)
    except SystemExit as stop:  # argparse
        status = stop.code
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    assert captured.err.endswith("\n")
    assert len(captured.err.splitlines()) == 1
    assert "Traceback" not in captured.err
    return captured.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "dshh", "--dataset", "folder", "--bits", "12"], "did you mean 'dsh'"),
        (["run", "lsh", "--dataset", "cifra10", "--bits", "12"], "did you mean 'cifar10'"),
        (["run", "lsh", "--dataset", "folder@half", "--bits", "12"], "no protocol of 'folder' named 'half'"),
        (["run", "dsh", "--dataset", "folder", "--bits", "12", "--backbone", "resnt18"], "did you mean 'resnet18'"),
        ([*LSH, "--precision", "fp8"], "--precision: invalid choice: 'fp8'"),
        ([*LSH, "--device", "tpu"], "--device: invalid choice: 'tpu'"),
        *(
            (["run", "lsh", "--dataset", "folder", f"--bits={bits}"], "--bits: expected")
            for bits in ("0", "-3", "abc", "12,,24", "5000", "12,12", "", "1.5", "٣")
        ),
        ([*LSH, "--seed", "-1"], "--seed: expected a whole number from 0"),
        ([*LSH, "--topk", "0"], "--topk: expected a whole number from 1"),
        (
            ["run", "dsh", "--dataset", "folder", "--bits", "12", "--set", "lr=fast"],
            "lr: expected a finite number, got 'fast'",
        ),
        (["run", "dsh", "--dataset", "folder", "--bits", "12", "--set", "lr"], "expected NAME=VALUE"),
        (["run", "dsh", "--dataset", "folder", "--bits", "12", "--epochs", "0"], "epochs: expected at least 1"),
        (
            ["run", "dsh", "--dataset", "folder", "--bits", "12", "--preset", "fats"],
            "did you mean 'fast'? (known: fast, ",
        ),
        ([*LSH, "--preset", "fast"], "no preset of 'lsh' named 'fast' (known: none)"),
        (["run", "dsh", "--dataset", "folder", "--bits", "12", "--set", "margn=2"], "did you mean 'margin'"),
        (["run", "dsh", "--dataset", "folder", "--bits", "12", "--epochs", "2", "--set", "epochs=3"], "got both"),
        ([*LSH, "--epochs", "3"], "lsh trains no network: it has no epochs"),
        ([*LSH, "--budget", "10m"], "lsh trains no network: it has no budget"),
        (
            ["run", "dsh", "--dataset", "folder", "--bits", "12", "--budget", "10"],
            "expected a time such as 90s, 10m or 2h",
        ),
        (
            ["run", "dsh", "--dataset", "folder", "--bits", "12", "--budget", "0m"],
            "expected a time such as 90s, 10m or 2h",
        ),
        (
            ["run", "dsh", "--dataset", "folder", "--bits", "12", "--budget", "9s", "--epochs", "2"],
            "expected either a budget or epochs, got both",
        ),
        ([*LSH, "--backbone", "dsh_cnn"], "lsh trains no network: it has no backbone"),
        (["run", "lsh", "--dataset", "folder", "--bits", "12", "--data-root", "nowhere"], "nowhere"),
        (["run", "lsh", "--bits", "12"], "the following arguments are required: --dataset"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_mistakes_cost_one_line_and_leave_nothing(here, capsys, words, message):
    assert message in fails(capsys, *words)
    assert list(here.iterdir()) == []


def test_a_corrupt_image_is_named_and_nothing_is_left(here, capsys):
    for split in ("train", "query"):
        for name in ("a", "b"):
            (here / "data" / split / name).mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(here / "data" / split / name / "0.png")
    (here / "data" / "train" / "a" / "1.png").write_bytes(b"no image")
    message = fails(capsys, *LSH, "--data-root", "data")
    assert "1.png" in message
    assert not (here / "runs").exists()


def test_an_output_folder_that_cannot_be_written(here, capsys):
    (here / "runs").touch()  # root may write anywhere, but not in a file
    assert "cannot make the folder runs" in fails(capsys, *LSH)
    assert (here / "runs").read_bytes() == b""


def test_a_disk_that_fills_up(here, python, tree):
    """With a limit on the size of files, as a quota would set it: the codes fit and the picture does not."""
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (12000, 12000)); "
        "from hashzoo.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    done = python("-c", program, *LSH, "--features", "pixels", "--data-root", str(tree))
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "cannot write" in done.stderr
    assert not list(here.rglob("result.json"))
    assert not [path for path in here.rglob("*") if path.name.startswith(".")]


def test_a_warning_is_a_line_without_its_place_in_the_code(here, python, tree):
    (here / "file").touch()
    program = "import os, sys; os.environ['HASHZOO_CACHE'] = 'file'; from hashzoo.cli import main; main(sys.argv[1:])"
    done = python("-c", program, *LSH, "--data-root", str(tree))
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if "cannot be written" in line]
    assert list(dict.fromkeys(line.split(",")[0] for line in told)) == [
        "hashzoo: the image cache file cannot be written (File exists)",
        "hashzoo: the cache file cannot be written (File exists)",
    ]
    assert ".py" not in done.stderr


def test_the_table_has_a_column_per_code_length(here, capsys):
    assert main(["run", "lsh", "--dataset", "folder", "--bits", "12,24"]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0].startswith("lsh on ")
    assert lines[2].split() == ["12", "bits", "24", "bits"]
    for row in ("mAP@all (expected)", "tie range", "precision, radius 2", "train, s", "encode, s", "evaluate, s"):
        assert sum(line.strip().startswith(row) for line in lines) == 1
    assert "mean over all orders of equal distances" in captured.out
    assert "seed 0" in captured.out
    assert "6 queries against 12, split " in captured.out
    assert len(list(here.rglob("result.json"))) == 2


def test_json_goes_to_stdout_alone(here, capsys):
    assert main([*LSH, "--json", "--topk", "5"]) == 0
    first = capsys.readouterr()
    (record,) = json.loads(first.out)
    assert record["command"] == "hashzoo run lsh --dataset folder --bits 12 --json --topk 5"
    assert record["metric_definition"]["topk"] == 5
    assert "mAP" in first.err
    assert main([*LSH, "--json", "--topk", "5"]) == 0
    second = capsys.readouterr()
    assert json.loads(second.out) == [record]
    assert "--force" in second.err


def test_interrupt_then_resume(here, environment, tree):
    words = [sys.executable, "-m", "hashzoo", "run", "dsh", "--dataset", "folder", "--data-root", str(tree)]
    words += ["--bits", "12", "--epochs", "80", "--set", "batch_size=12", "--precision", "fp32"]
    unbroken = subprocess.run(
        [*words, "--out", "whole", "--json"], env=environment, cwd=here, capture_output=True, text=True, timeout=120
    )
    (whole,) = json.loads(unbroken.stdout)
    with subprocess.Popen(words, env=environment, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        give_up = time.monotonic() + 60
        while not list(here.glob("runs/**/checkpoint.json")) and running.poll() is None and time.monotonic() < give_up:
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert errors.decode().splitlines()[-1] == "interrupted; --resume goes on"
    assert not list(here.glob("runs/**/result.json"))

    resumed = subprocess.run(
        [*words, "--resume", "--json"], env=environment, cwd=here, capture_output=True, text=True, timeout=120
    )
    (record,) = json.loads(resumed.stdout)
    assert record["codes_sha256"] == whole["codes_sha256"]
    assert record["model_sha256"] == whole["model_sha256"]
    assert not list(here.glob("runs/**/checkpoint*"))


def test_progress_in_a_pipe_is_a_line_per_epoch(here, capsys):
    assert main(["run", "dsh", "--dataset", "folder", "--bits", "8", "--epochs", "3", "--device", "cpu"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines[:3]] == [f"dsh 8 bits: epoch {epoch}/3" for epoch in (1, 2, 3)]
    assert all("contrastive" in line and "images/s" in line for line in lines[:3])
    assert lines[1].endswith(" left")  # the first line has no speed to go by yet
