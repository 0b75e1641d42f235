"""The report's page holds what it says in one file of bounded size, and nothing that a model wrote is HTML in it."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_run import BESIDE

from tpt.artefacts import Pruned, Sampled
from tpt.errors import FileError
from tpt.records import shards
from tpt.report import report
from tpt.report.page.samples import collect, encode
from tpt.report.page.view import costs, duration, times
from tpt.report.rows import collect as collect_rows
from tpt.runs.folder import Run
from tpt.runs.stage import Stage

MakeRun = Callable[..., Run]


class Elements(HTMLParser):
    """The elements of a page, the attributes of each and the texts of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "script" and self.scripts[-1] == "":
            self.scripts[-1] = data


def page_of(runs: list[Run], out: Path) -> str:
    return report(runs, out).page.read_text()


def data_of(text: str) -> dict[str, Any]:
    data = json.loads(Elements(text).scripts[0])
    assert isinstance(data, dict)
    return data


def test_the_page_says_what_rose_by_how_much_and_how_sure(make_run: MakeRun, tmp_path: Path) -> None:
    text = page_of([make_run()], tmp_path)
    assert re.search(r'<li class="rise">round 2, this checkpoint: pass@1 strict rose by \+\d+\.\d \[', text)
    assert "95 % intervals over problems" in text


def test_a_change_within_the_noise_has_no_arrow(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(rounds=1)
    for name in ("metrics.json", "per_problem.parquet", "manifest.json"):
        before, after = (run.folder(Stage(round, "evaluate")) / name for round in (0, 1))
        after.write_bytes(before.read_bytes())
    assert '<li class="flat">round 1, this checkpoint: no change' in page_of([run], tmp_path)


def test_the_page_asks_for_nothing_and_forbids_all_requests(make_run: MakeRun, tmp_path: Path) -> None:
    text = page_of([make_run()], tmp_path)
    elements = Elements(text)
    [policy] = [one["content"] for tag, one in elements.found if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy and policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    asked = [one[name] for _, one in elements.found for name in ("src", "href") if name in one]
    assert [one for one in asked if not (one or "").startswith(("#", "data:"))] == []
    assert not any("style" in one for _, one in elements.found), "the policy would not let it work"


def test_every_round_of_a_problem_is_shown_with_its_verdicts(make_run: MakeRun, tmp_path: Path) -> None:
    data = data_of(page_of([make_run(problems=5)], tmp_path))
    test, train = data["sets"]
    assert [column["name"] for column in test["columns"]] == ["baseline", "round 1", "round 2"]
    assert [column["name"] for column in train["columns"]] == ["round 1", "round 2"]
    for problem in test["problems"]:
        assert [row[0] for row in problem["samples"]] == [0] * 4 + [1] * 4 + [2] * 4
    sample = dict(zip(data["fields"], test["problems"][0]["samples"][0], strict=True))
    assert sample["status"] in ("correct", "wrong", "partial", "no_answer")
    assert sample["rule"] in ("hash_marks", "answer_is")
    assert test["note"] == "All 60 samples are shown."


def test_benchmarks_and_further_sets_can_be_read_and_their_time_is_counted(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(*BESIDE, rounds=1, problems=5)
    text = page_of([run], tmp_path)
    sets = {one["title"]: one for one in data_of(text)["sets"]}
    assert list(sets) == [
        *("test problems (evaluation)", "training problems (thinking)"),
        *("training problems (evaluation)", "sums (benchmark)"),
    ]
    for name, title in (("sums", "sums (benchmark)"), ("train", "training problems (evaluation)")):
        assert [one["name"] for one in sets[title]["columns"]] == ["baseline", "round 1"]
        assert sets[title]["note"] == "All 40 samples are shown."
        assert {one["id"] for one in sets[title]["problems"]} == {f"word_problems/{name}/{at}" for at in range(5)}
    assert len(sets["training problems (thinking)"]["columns"]) == 1, "evaluation on them is something else"

    rows = collect_rows([run])
    base, row = times(rows)
    assert 'aria-label="evaluate 3 min 45 s, benchmark 1.0 s, command 40 s"' in base.chart
    assert row.words == duration(120 + 1 + 2 + 128 + 3 * 75 + 40)
    assert '<li class="s6">command</li>' in text
    [_, cost] = costs(rows, [run])
    tokens = [run.results(Stage(1, "evaluate", which), Sampled)["tokens"] for which in ("", "train", "sums")]
    assert (cost["evaluate tokens"], cost["command"]) == (f"{sum(tokens):,}", "40 s")


def test_samples_that_were_trained_on_are_marked(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(rounds=1)
    data = data_of(page_of([run], tmp_path))
    rows = [
        dict(zip(data["fields"], row, strict=True)) for one in data["sets"][1]["problems"] for row in one["samples"]
    ]
    kept = [row for row in rows if row["kept"]]
    assert len(kept) >= run.results(Stage(1, "prune"), Pruned)["kept"] > 0
    assert {row["strict"] for row in kept} == {"correct"}


def test_a_page_of_20_000_samples_is_below_3_mb_and_says_what_it_shows(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(rounds=1, problems=1250, samples=6)
    text = page_of([run], tmp_path)
    assert len(text.encode()) < 3_000_000
    [test, train] = data_of(text)["sets"]
    shown = sum(len(problem["samples"]) for problem in test["problems"])
    assert test["note"].startswith(f"{shown:,} of 15,000 samples are shown: {len(test['problems'])} of 1,250 problems")
    assert "drawn with seed 0" in test["note"]
    assert len(test["problems"]) >= 40 and len(train["problems"]) >= 40


def test_long_texts_make_the_page_no_larger(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(rounds=1, problems=60)
    for budget in (20_000, 100_000):
        found = collect([run], seed=0, budget=budget)
        assert budget / 3 < len(encode(found)) < budget + 2_000
        assert all(one.problems for one in found.sets)


def test_the_draw_depends_on_the_seed_alone(make_run: MakeRun) -> None:
    run = make_run(rounds=1, problems=60)
    one, again, other = (collect([run], seed, budget=20_000) for seed in (0, 0, 1))
    assert one == again
    ids = [[problem.id for problem in found.sets[0].problems] for found in (one, other)]
    assert ids[0] != ids[1]


def test_runs_share_their_problems_and_not_those_of_another_task(make_run: MakeRun) -> None:
    one = make_run(problems=8, samples=2)
    other = make_run("seed=3", problems=8, samples=2)
    found = collect([one, other], seed=0)
    assert found.runs == ["seed=0", "seed=3"]
    assert {len(problem.samples) for problem in found.sets[0].problems} == {12}
    renamed = make_run("task.seed=5", problems=9, samples=2)
    problems = collect([one, renamed], seed=0).sets[0].problems
    assert len(problems) == 9, "equal questions are one problem"
    assert sorted(len(problem.samples) for problem in problems) == [6] + [12] * 8


def test_a_round_whose_samples_are_gone_is_left_out(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    for path in shards(run.folder(Stage(1, "evaluate")), "samples"):
        path.unlink()
    assert [one["round"] for one in data_of(page_of([run], tmp_path))["sets"][0]["columns"]] == [0, 2]


def test_a_page_of_several_runs_shows_the_settings_in_which_they_differ(make_run: MakeRun, tmp_path: Path) -> None:
    runs = [make_run(), make_run("prune=ground_truth", rounds=1)]
    text = page_of(runs, tmp_path)
    assert "Settings in which the runs differ" in text
    assert '<td class="word">ground_truth</td>' in text
    assert "Settings in which the runs differ" not in page_of(runs[:1], tmp_path)


def test_a_name_with_html_in_it_is_a_name(make_run: MakeRun, tmp_path: Path) -> None:
    runs = [make_run(rounds=1), make_run(f"run_root='{tmp_path}/<img src=x onerror=alert()>'", rounds=1)]
    elements = Elements(page_of(runs, tmp_path / "out"))
    assert "img" not in [tag for tag, _ in elements.found]
    assert not any(name.startswith("on") for _, attributes in elements.found for name in attributes)


@given(st.text())
def test_no_text_ends_the_element_that_it_stands_in(text: str) -> None:
    encoded = encode([text, "</script><!--<script>"]).decode(errors="strict")
    assert "<" not in encoded
    assert json.loads(encoded)[0] == text


def test_the_page_may_go_elsewhere_but_not_onto_a_folder(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(rounds=1, problems=3)
    assert report([run], tmp_path / "out", tmp_path / "site" / "page.html").page.exists()
    assert not (tmp_path / "out" / "report.html").exists()
    with pytest.raises(FileError, match="is a folder"):
        report([run], tmp_path / "out", tmp_path)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.96, "10.0 s"),
        (75, "75 s"),
        (325.4, "5 min 25 s"),
        (3600, "1 h 0 min"),
        (12034, "3 h 20 min"),
    ],
)
def test_durations_are_no_finer_than_is_of_use(seconds: float, words: str) -> None:
    assert duration(seconds) == words
