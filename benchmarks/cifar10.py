"""Every table of docs/results/cifar10.md, from runs of hashzoo's own commands.

    python benchmarks/cifar10.py --data-root DIR
    python benchmarks/cifar10.py --data-root DIR --only strong
    python benchmarks/cifar10.py --data-root DIR --only strong --bits 24

    python benchmarks/cifar10.py --data-root DIR --out docs/results --stored

Each part of the page is one command; what it needs and --out has already is not run again, so an interrupted page goes
on where it stopped; with --stored nothing is run, and what --out has not is shown as not run. With --keep, the records
and logs of --out are copied there: they are what the page is made of. Without --only the page is written.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hashzoo.experiments.store import find_runs
from hashzoo.files import write_atomically
from hashzoo.methods.base import METHODS
from hashzoo.methods.presets import preset_settings
from hashzoo.reports.plots import plot
from hashzoo.settings import configure

LENGTHS = "12,24,36,48"
SMALL = "Rows are trained by preset `fast`, for six epochs: compare rows of this table alone."
CURVES = (("paper", "dfeh"), ("paper", "dsh"), ("strong", "dfeh"))  # preset and method of the trainings drawn


@dataclass(frozen=True)
class Part:
    """A section: what it is, the words after `hashzoo` that make its table, and the seeds."""

    name: str
    title: str
    text: str
    words: str
    seeds: str = "0"

    def table(self, common: list[str], seeds: str, bits: str | None) -> str:
        """Run what is missing; the table as Markdown."""
        words = [*shlex.split(self.words), *common, "--seeds", seeds, *(["--bits", bits] if bits else [])]
        if words[0] == "bench":
            return _hashzoo(words)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "table.md"
            _hashzoo([*words, "-o", str(file)])
            text = file.read_text(encoding="utf-8")
        return text[text.index("**") :]


PARTS = (
    Part(
        "paper",
        "The paper's table",
        "DFEH and DSH trained in the same way, from scratch, by preset `paper`.",
        "reproduce dfeh --table map --rows dfeh,dsh --compile",
    ),
    Part(
        "seeds",
        "The same with three seeds",
        "Mean and standard deviation at the two lengths where DFEH is below DSH in the table above.",
        "reproduce dfeh --table map --rows dfeh,dsh --bits 36,48 --compile",
        seeds="0,1,2",
    ),
    Part(
        "shorter",
        "The same in 18 epochs",
        "Three quarters of the training, one seed, everything else as above.",
        "reproduce dfeh --table map --rows dfeh,dsh --set epochs=18 --compile",
    ),
    Part(
        "position",
        "The same in 18 epochs with the block on the last feature map",
        "In the tables above the block stands in front of the network, where the paper describes it.",
        "reproduce dfeh --table map --rows dfeh --set epochs=18 --set fe_position=post --compile",
    ),
    Part(
        "trunk",
        "The same in 18 epochs with the network of DSH",
        "The paper's feature extractor is unknown; that of DSH is the first that comes to mind. The block is on the "
        "last feature map, where it costs little.",
        "reproduce dfeh --table map --rows dfeh --set backbone=dsh_cnn --set epochs=18 "
        "--set fe_position=post --bits 24,48",
    ),
    Part(
        "strong",
        "The same loss, trained as today",
        "DFEH by preset `strong`: the loss is the same, network and training are not those of the paper.",
        "reproduce dfeh --table map --rows dfeh --preset strong",
    ),
    Part(
        "narrow",
        "The same with half the width and twice the epochs",
        "The network has a quarter of the work, so its 50 epochs took less time than the 25 above; the block is on the "
        "last feature map.",
        "reproduce dfeh --table map --rows dfeh --preset strong --set backbone=resnet9_24 --set fe_position=post "
        "--set epochs=50 --set lr=0.01",
    ),
    Part(
        "seven",
        "Preset `strong` with seven layers and 38 epochs",
        "A network that halves the map at once, and half as many epochs again.",
        "reproduce dfeh --table map --rows dfeh --preset strong --set backbone=resnet7 --set epochs=38",
    ),
    Part(
        "zoo",
        "The other methods",
        "By preset `fast`, a few minutes each; methods without a network learn from GIST.",
        "bench --datasets cifar10@full --preset fast --methods "
        "dsh,dpsh,cnnh,dlbhc,dnnh,dhn,hashnet,dtsh,greedyhash,csq,orthohash,dfeh,lsh,sh,itq,cca_itq,mlh,bre,ksh,sdh",
    ),
    Part("loss", "Ablation: terms of the loss", SMALL, "reproduce dfeh --table loss --preset fast"),
    Part(
        "regularization",
        "Ablation: weight of the regularization",
        SMALL,
        "reproduce dfeh --table regularization --preset fast",
    ),
    Part(
        "network",
        "Ablation: enhancement block and trunk",
        SMALL,
        "reproduce dfeh --table network --preset fast --compile",
    ),
    Part("time", "Time", "Of the 12-bit run of the first table.", "reproduce dfeh --table time --compile"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--only", choices=[part.name for part in PARTS], help="run one part, write no page")
    parser.add_argument("--bits", help=f"with --only, in place of {LENGTHS} or the part's own")
    parser.add_argument("--seeds", help="in place of each part's own")
    parser.add_argument("--precision", default="bf16", help="of each network (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="cells side by side (default %(default)s)")
    parser.add_argument("--stored", action="store_true", help="run nothing")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="copy records and logs here")
    parser.add_argument("--page", type=Path, default=Path("docs/results/cifar10.md"))
    arguments = parser.parse_args()

    common = ["--data-root", str(arguments.data_root), "--out", str(arguments.out)]
    common += ["--precision", arguments.precision, "--jobs", str(arguments.jobs)]
    common += ["--stored"] if arguments.stored else []
    sections = []
    for part in PARTS:
        if arguments.only in (None, part.name):
            bits = arguments.bits or (LENGTHS if part.words.startswith("bench") else None)
            seeds = arguments.seeds or part.seeds
            table = part.table(common, seeds, bits)
            lengths = f"--bits {bits} " if bits else ""
            shown = f"hashzoo {part.words} {lengths}--seeds {seeds} --precision {arguments.precision} --data-root DIR"
            sections.append(f"## {part.title}\n\n{part.text}\n\n```bash\n{shown}\n```\n\n{table}")
    if arguments.keep:
        keep(arguments.out, arguments.keep)
    if arguments.only is None:
        sections.append(curves(arguments.out, arguments.page))
        head = "# CIFAR-10, measured\n\nWritten by `python benchmarks/cifar10.py --data-root DIR`.\n"
        write_atomically(arguments.page, "\n".join([head, *sections]).encode())
    else:
        print("\n".join(sections))


def curves(out: Path, page: Path) -> str:
    """Draw the training of the two presets with seed 0 beside the page; the section that shows it."""
    picture = page.with_name(f"{page.stem}-training.svg")
    as_drawn = []  # a record names its preset as it was then
    for preset, name in CURVES:
        cls = METHODS.get(name)
        as_drawn.append((name, configure(cls.Config, preset_settings(cls, preset), owner=name).to_dict()))
    first_seed = [run for run in find_runs(out) if run.record["seed"] == 0]
    trained = [run for run in first_seed if (run.record["method"], run.record["config"]) in as_drawn]
    if not trained:
        return "## Training\n\nNot run.\n"
    for missing in plot("training", trained, picture):
        print(missing, file=sys.stderr)
    return f"## Training\n\n![Terms of the loss by epoch, seed 0]({picture.name})\n"


def keep(out: Path, folder: Path) -> None:
    """Copy record and log of each run."""
    for run in find_runs(out):
        target = folder / run.folder.relative_to(out)
        target.mkdir(parents=True, exist_ok=True)
        for name in ("result.json", "log.jsonl"):
            if (run.folder / name).exists():
                shutil.copyfile(run.folder / name, target / name)


def _hashzoo(words: list[str]) -> str:
    done = subprocess.run([sys.executable, "-m", "hashzoo", *words], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"hashzoo {shlex.join(words)} ended with {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()
