from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from hashzoo import METHODS, PaperRow, PaperTable
from hashzoo.experiments.grid import Outcome, Source
from hashzoo.experiments.reproduction import Wanted, plan_table
from hashzoo.reports.reproduction import side_by_side

TABLE = PaperTable(
    name="map",
    title="all methods",
    source="A. Author 2020, table 1",
    rows=(
        PaperRow("DSH", "dsh", printed={"cifar10": {12: 0.5}}),
        PaperRow("unheard of", "no_such_method", printed={"cifar10": {12: 0.4}}),
    ),
    bits=(12,),
    protocols={"cifar10": ("full",)},
    among_queries=True,
    notes=("nothing is sure",),
)
SECONDS = replace(
    TABLE,
    name="time",
    title="time",
    measure="time",
    rows=(PaperRow("dsh", "dsh", printed={"cifar10": {12: 2389.211}}),),
)


@dataclass
class Bench:
    """Plans tables and makes up what became of their jobs."""

    reporter: object
    among: dict[str, float] = field(default_factory=lambda: {"map_among_queries": 0.5, "map_among_other_queries": 0.4})

    def planned(self, table=TABLE, **wanted):
        planning = {"device": "cpu", "precision": "fp32", "reporter": self.reporter}
        return plan_table(table, Source("cifar10", (("protocol", "full"),)), Wanted(planning=planning, **wanted))

    def results(self, planned, score=0.6, protocol="full"):
        return {
            job: Outcome(job, self.record(job, score + 0.02 * i, protocol), "") for i, job in enumerate(planned.jobs)
        }

    def record(self, job, score, protocol):
        cell = job.cell
        return {
            "method": cell.method,
            "dataset": "cifar10",
            "protocol": protocol,
            "title": "CIFAR-10 (JPEG)",
            "split_sha256": "ab" * 32,
            "images_sha256": "cd" * 32,
            "bits": cell.bits,
            "seed": cell.seed,
            "precision": "fp32",
            "config": cell.config.to_dict(),
            "config_hash": f"{cell.seed:012}",
            "codes_sha256": "ef" * 32,
            "metrics": {"map_expected": score, **self.among},
            "metric_definition": {
                "topk": None,
                "ties": "expected",
                "denominator": "relevant",
                "empty": "zero",
                "relevance": "same class id",
                "queries": 20,
                "database": 30,
            },
            "timings": {"train_s": 8.0, "encode_s": 0.25, "evaluate_s": 0.0041},
            "training": {"images": 30},
            "environment": {"device": "A machine, 2 cores", "threads": 2},
            "created": f"2026-11-2{4 + cell.seed}T12:00:00+00:00",
        }


class Quiet:
    def note(self, text):
        """Nothing."""


@pytest.fixture
def bench():
    return Bench(Quiet())


def test_printed_values_stand_above_ours(bench):
    planned = bench.planned()
    table = side_by_side(planned, bench.results(planned))
    assert table.title == "all methods, CIFAR-10 (JPEG) @full: mAP@all (expected)"
    assert table.header == ("row", "", "12 bits")
    assert table.rows == (
        ("DSH", "as printed", "0.5000"),
        ("", "here @full", "0.6000 (+0.1000)"),
        ("", "queries among themselves", "0.5000"),
        ("", "the same, each query left out", "0.4000"),
        ("unheard of", "as printed", "0.4000"),
        ("", "here: no method no_such_method is installed", ""),
    )


def test_the_caption_says_how_to_read_it(bench):
    planned = bench.planned()
    caption = side_by_side(planned, bench.results(planned)).caption
    assert caption[:2] == ("Printed values: A. Author 2020, table 1.", "Nothing is sure.")
    assert "In brackets the difference of @full to the printed value." in caption
    assert caption[-2:] == (
        "Preset paper; every cell runs as preset and row say.",
        "Split abababababab; seed 0; run on 2026-11-24 on A machine, 2 cores, 2 threads, fp32.",
    )


def test_several_seeds_have_a_mean_a_spread_and_two_dates(bench):
    planned = bench.planned(seeds=(0, 1))
    table = side_by_side(planned, bench.results(planned))
    assert table.rows[1] == ("", "here @full", "0.6100 ± 0.0141 (+0.1100)")
    assert "seeds 0, 1; run on 2026-11-24 to 2026-11-25 on A machine" in table.caption[-1]


def test_what_was_set_otherwise_is_named_with_its_rows(bench):
    rows = (TABLE.rows[0], PaperRow("LSH", "lsh"))
    planned = bench.planned(replace(TABLE, rows=rows), settings={"dsh": {"epochs": "1", "augment": "false"}})
    caption = side_by_side(planned, bench.results(planned)).caption
    assert caption[-2] == (
        "Preset paper; set otherwise: epochs=1 in place of 24 (DSH); augment=false in place of true (DSH)."
    )
    planned = bench.planned(preset="fast", rows=("DSH",), settings={"dsh": {"epochs": "1"}})
    caption = side_by_side(planned, bench.results(planned, protocol="again")).caption
    assert caption[-2] == ("Preset fast, where the table has paper; set otherwise: epochs=1 in place of 6 (all rows).")


def test_a_protocol_that_the_paper_cannot_have_used_is_not_compared(bench):
    planned = bench.planned()
    table = side_by_side(planned, bench.results(planned, protocol="59k"))
    assert table.rows[1] == ("", "here @59k", "0.6000")
    assert "No difference is given: the paper did not measure like @59k." in table.caption


def test_a_protocol_of_queries_among_themselves_needs_no_lines_about_them(bench):
    bench.among = {}
    planned = bench.planned(rows=("DSH",))
    results = bench.results(planned)
    assert [row[1] for row in side_by_side(planned, results).rows] == ["as printed", "here @full"]


def test_a_failure_is_named(bench):
    planned = bench.planned(rows=("DSH",))
    (job,) = planned.jobs
    table = side_by_side(planned, {job: Outcome(job, None, "no memory")})
    assert table.rows == (("DSH", "as printed", "0.5000"), ("", "here", "failed"))
    refused = Outcome(planned.jobs[0], None, "needs one label an image", unsuitable=True)
    table = side_by_side(planned, {planned.jobs[0]: refused})
    assert table.rows[1:] == (("", "here: dsh cannot take this data", ""),)


def test_a_mean_over_fewer_seeds_says_so(bench):
    planned = bench.planned(rows=("DSH",), seeds=(0, 1, 2))
    results = bench.results(planned)
    results[planned.jobs[2]] = Outcome(planned.jobs[2], None, "no memory")
    table = side_by_side(planned, results)
    assert table.rows[1] == ("", "here @full", "0.6100 ± 0.0141 (+0.1100) (2 of 3 seeds)")
    assert all(row[2].endswith(" (2 of 3 seeds)") for row in table.rows[2:])
    planned = bench.planned(SECONDS, seeds=(0, 1, 2))
    results = {job: results[other] for job, other in zip(planned.jobs, results, strict=True)}
    assert side_by_side(planned, results).rows[1] == ("", "training, s", "8.0 (2 of 3 seeds)")


def test_every_record_says_what_was_set_otherwise(bench):
    planned = bench.planned(rows=("DSH",), seeds=(0, 1), budgets={"dsh": 60.0})
    results = bench.results(planned)
    for job, epochs in zip(planned.jobs, (24, 23), strict=True):
        results[job].record.update(budget={"seconds": 60.0}, config={"epochs": epochs})
    caption = side_by_side(planned, results).caption
    assert caption[-2] == "Preset paper; set otherwise: epochs=23 in place of 24 (all rows)."


def test_one_failure_of_two_lengths(bench):
    planned = bench.planned(rows=("DSH",), bits=(12, 24))
    results = bench.results(planned)
    results[planned.jobs[1]] = Outcome(planned.jobs[1], None, "no memory")
    rows = side_by_side(planned, results).rows
    assert rows[0][2:] == ("0.5000", "")
    assert rows[1][2:] == ("0.6000 (+0.1000)", "failed")
    assert rows[2][3] == "failed"


def test_times(bench):
    planned = bench.planned(SECONDS, settings={"dsh": {"epochs": "4"}})
    table = side_by_side(planned, bench.results(planned))
    assert table.title == "time, CIFAR-10 (JPEG) @full"
    assert table.rows == (
        ("dsh", "as printed", "2389.211"),
        ("", "training, s", "8.0"),
        ("", "encoding queries and database, s", "0.25"),
        ("", "evaluation, s", "0.004"),
        ("", "training, images/s", "15"),
        ("", "encoding, images/s", "200"),
    )
    assert not any("mAP" in line for line in table.caption)


def test_data_without_printed_values(bench):
    planned = bench.planned(replace(TABLE, rows=(PaperRow("DSH", "dsh"),)))
    table = side_by_side(planned, bench.results(planned))
    assert table.rows[0][:2] == ("DSH", "here @full")
    assert "Nothing is printed for cifar10." in table.caption
    assert METHODS.get("dsh").tables == ()
