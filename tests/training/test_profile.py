from __future__ import annotations

import pytest

from hashzoo.training.profile import Profile


def test_stages_add_up_and_the_rest_is_other(monkeypatch):
    clock = iter([0.0, 1.0, 2.0, 3.0, 5.0, 10.0])  # whole; two turns of one stage; the end of whole
    monkeypatch.setattr("hashzoo.training.profile.time.perf_counter", lambda: next(clock))
    profile = Profile()
    with profile.whole():
        with profile.stage("loss"):
            pass
        with profile.stage("loss"):
            pass
    assert profile.shares() == [("loss", 3.0, 0.3), ("other", 7.0, 0.7)]


def test_a_stage_that_fails_counts_too_and_nothing_has_no_shares():
    profile = Profile()
    assert profile.shares() == [("other", 0.0, 0.0)]
    with pytest.raises(RuntimeError), profile.stage("data"):
        raise RuntimeError
    assert profile.seconds["data"] > 0
