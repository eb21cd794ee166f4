# SPDX-License-Identifier: Apache-2.0
# bench/report.py compares what ran a moment apart, and says how far the ratio may be off.
import pathlib
import sys

import pytest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def report(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    for name in ("report", "chart"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import report
    return report


def results(mine, theirs):
    def target(values):
        return {"median": sorted(values)[len(values) // 2], "low": min(values), "high": max(values),
                "values": values}

    row = {"name": "row", "title": "work", "unit": "µs", "must": 0.92, "stretch": 0.8, "against": "",
           "targets": {"ginnel": target(mine), "peer": target(theirs)}}
    return {"rows": [row], "ours": ["ginnel"], "versions": {"peer": "1"}}


def compared(report, *lists):
    found = results(*lists)
    report.add_ratios(found)
    return found["rows"][0]["targets"]["ginnel"]


def test_a_machine_that_is_slow_for_a_moment_does_not_move_the_ratio(report):
    speed = [1, 2, 1, 1.5, 2] * 4
    found = compared(report, [9 * s for s in speed], [10 * s for s in speed])
    assert found["ratio"] == pytest.approx(0.9)
    assert found["ratio_off"] == pytest.approx(0, abs=1e-9)
    assert found["ratio_to"] == "peer"


def test_turns_that_disagree_make_the_ratio_uncertain(report):
    found = compared(report, [8, 12] * 20, [10] * 40)
    assert found["ratio_off"] == pytest.approx(0.2)


def test_few_turns_or_turns_that_do_not_match_are_compared_by_their_medians(report):
    for mine, theirs in (([9, 9, 30], [10, 10, 10]), ([9] * 20, [10] * 19)):
        found = compared(report, mine, theirs)
        assert found["ratio"] == pytest.approx(0.9)
        assert found["ratio_off"] is None


def test_who_failed_is_not_the_best_peer_and_gets_no_ratio(report):
    found = results([9] * 20, [10] * 20)
    found["rows"][0]["targets"]["peer"]["problem"] = "it ended"
    report.add_ratios(found)
    assert all("ratio" not in target for target in found["rows"][0]["targets"].values())


def test_a_row_is_not_compared_with_one_that_failed(report):
    found = results([9] * 20, [10] * 20)
    first = found["rows"][0]
    first["targets"]["ginnel"]["problem"] = "it ended"
    found["rows"].append(results([12] * 20, [10] * 20)["rows"][0] | {"name": "other", "against": "row"})
    report.add_ratios(found)
    other = found["rows"][1]["targets"]
    assert "ratio" not in other["ginnel"]
    assert other["peer"]["ratio"] == 1


def test_the_cell_says_by_how_much(report):
    found = results([8, 12] * 20, [10] * 40)
    report.add_ratios(found)
    assert report.table(found).splitlines()[-1].endswith("| 1.00 ±0.20 × peer (0.92 / 0.8) MISSED |")
