"""Analyses are made from one run folder and say no more than its samples do."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from omegaconf import OmegaConf
from transformers import AutoTokenizer

from tpt import files, records
from tpt.analysis import ANALYSES
from tpt.analysis.curves import crossing_point, curves
from tpt.analysis.diversity import measures
from tpt.analysis.outcome import Outcome, Sheet
from tpt.analysis.wrong import draw_wrong
from tpt.cli import main
from tpt.errors import DataError
from tpt.evaluate.passk import pass_at_k
from tpt.records import Problem, Sample, Status, Verdict
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage
from tpt.settings import config
from tpt.settings.config import Config
from tpt.settings.sampling import EvaluateConfig

Make = Callable[..., Config]
Text = Callable[[int, int], tuple[str, bool]]  # number of a problem, of a sample -> its text, whether it is right
PROBLEMS, SAMPLES = 24, 4
GIVEN = {"error_locality": ("solutions=2", "continuations=4"), "diversity": ("right=2",)}  # for speed

VARIED = ("Tom has {a} + {b} = {c} pens.", "First {a} + {b} = {c}.", "{b} and {a} more: {b} + {a} = {c}.", "So {c}.")


def solution(problem: int, way: int, error: int = 0) -> str:
    a, b = 3 + problem, 5
    return VARIED[way].format(a=a, b=b, c=a + b + error) + f"\nThat is all.\n#### {a + b + error}"


def question(problem: int) -> str:
    return f"Tom has {3 + problem} pens and buys 5 more."


def varied(problem: int, index: int) -> tuple[str, bool]:
    """Each sample in its own way, half of them wrong."""
    return solution(problem, index, error=index % 2 * (index + 1)), index % 2 == 0


def alike(problem: int, index: int) -> tuple[str, bool]:
    """All samples in one way, one of four wrong."""
    return solution(problem, 0, error=int(index == 3)), index != 3


class Maker:
    """Writes the stages of a run with given samples, in real tokens of the tiny model."""

    def __init__(self, run: Run, model: Path) -> None:
        self.run = run
        self.tokenizer = AutoTokenizer.from_pretrained(model)
        run.finish(Stage(0, "prepare"), {"model_dir": str(model)}, 1.0)
        problems = [
            Problem(f"p{number}", question(number), str(8 + number), solution(number, 0)) for number in range(PROBLEMS)
        ]
        records.write(run.problems_path("test"), Problem, problems)
        records.write(run.problems_path("train"), Problem, problems)
        for round in (1, 2):
            run.trained_model(round).parent.mkdir(parents=True)
            run.trained_model(round).symlink_to(model)

    def evaluated(self, round: int, text: Text) -> None:
        stage = Stage(round, "evaluate")
        self._write(stage, stage, text)
        self.run.finish(stage, {}, 1.0)

    def thought(self, text: Text) -> None:
        self._write(Stage(1, "think"), Stage(1, "judge"), text)
        self.run.finish(Stage(1, "think"), {}, 1.0)
        self.run.finish(Stage(1, "judge"), {}, 1.0)

    def _write(self, sampled: Stage, judged: Stage, text: Text) -> None:
        samples, verdicts = [], []
        for problem in range(PROBLEMS):
            prompt = self.tokenizer.encode(question(problem))
            for index in range(SAMPLES):
                words, right = text(problem, index)
                status = Status.CORRECT if right else Status.WRONG
                answer = words.rpartition("#### ")[2]
                ids = [*self.tokenizer.encode(words), self.tokenizer.eos_token_id]
                samples.append(Sample(f"p{problem}", index, prompt, ids, words, "stop"))
                verdicts.append(Verdict(f"p{problem}", index, status, status, status, "hash_marks", answer, answer))
        records.write(records.shard_path(self.run.folder(sampled), "samples", 0), Sample, samples)
        records.write(records.shard_path(self.run.folder(judged), "verdicts", 0), Verdict, verdicts)


@pytest.fixture
def maker(tiny_config: Make, tiny_model: Path) -> Maker:
    return Maker(Run.create(tiny_config("rounds=2", "prune=ground_truth")), tiny_model)


@pytest.fixture
def narrowed(maker: Maker) -> Run:
    """A run whose samples become alike; its second round is not evaluated yet."""
    maker.evaluated(0, varied)
    maker.evaluated(1, alike)
    maker.thought(varied)
    return maker.run


def cells(outcome: Outcome, sheet: int, **wanted: str) -> dict[str, str]:
    """The one row of a sheet that has these cells."""
    [row] = [row for row in outcome.sheets[sheet].rows if wanted.items() <= row.items()]
    return row


def number(cell: str) -> float:
    return float(cell.partition(" ")[0])


@pytest.mark.parametrize("name", ANALYSES)
def test_each_analysis_gives_sentences_tables_pictures_and_all_numbers(
    name: str, narrowed: Run, tmp_path: Path
) -> None:
    outcome = ANALYSES[name](narrowed, tmp_path, 0, GIVEN.get(name, ()))
    assert outcome.sentences
    assert all(sheet.rows for sheet in outcome.sheets)
    for sheet in outcome.sheets:
        assert all(row.keys() == sheet.rows[0].keys() for row in sheet.rows)
    for figure in outcome.figures:
        assert figure.read_bytes().startswith(b"\x89PNG")
        assert ElementTree.parse(figure.with_suffix(".svg")).getroot().tag.endswith("svg")
    assert files.read_json(tmp_path / f"{name}.json")["run"] == narrowed.name
    assert "NaN" not in (tmp_path / f"{name}.json").read_text()


@pytest.mark.parametrize("name", ANALYSES)
def test_the_same_run_and_seed_give_the_same_outcome(name: str, narrowed: Run, tmp_path: Path) -> None:
    given = GIVEN.get(name, ())
    one, other = (ANALYSES[name](narrowed, tmp_path / folder, 3, given) for folder in ("one", "other"))
    assert (one.sentences, one.sheets) == (other.sentences, other.sheets)


def test_the_command_writes_a_page_beside_its_figures(narrowed: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyse", "error_locality", str(narrowed.root), *GIVEN["error_locality"]]) == 0
    folder = narrowed.analysis_dir
    page = (folder / "error_locality.md").read_text()
    assert "](error_locality.png)" in page
    assert "| measure |" in page
    assert capsys.readouterr().out.replace("\n", "").endswith(str(folder / "error_locality.png"))


def test_samples_that_become_alike_are_said_to(narrowed: Run, tmp_path: Path) -> None:
    outcome = ANALYSES["diversity"](narrowed, tmp_path, 0)
    for measure in ("distinct-1", "distinct-2", "distinct-3", "distinct answers"):
        assert any(sentence.startswith(f"{measure}, all samples fell:") for sentence in outcome.sentences), measure
    assert any(sentence.startswith("self-BLEU, all samples rose:") for sentence in outcome.sentences)
    # By hand: `8`, `10`, `12` of sums right and wrong by 2 and by 4; then right, and wrong by 1.
    assert number(cells(outcome, 0, measure="distinct answers", among="all samples", round="baseline")["mean"]) == 3
    assert number(cells(outcome, 0, measure="distinct answers", among="all samples", round="round 1")["mean"]) == 2


def test_of_code_the_shapes_of_programs_are_counted_and_not_answers(tiny_config: Make) -> None:
    run = Run.create(tiny_config("task=code_puzzles"))
    kinds = measures(run, 0)
    assert "distinct answers" not in kinds
    programs = ["def f(a):\n    return a + 1", "def g(b):\n  return b + 2  # more", "def f(a):\n    return a * 2"]
    texts = [f"```python\n{program}\n```" for program in programs] + ["no program"]
    wrong = Verdict("p", 0, Status.WRONG, Status.WRONG, Status.WRONG)
    judged = [(Sample("p", at, [], [], text, "stop"), wrong) for at, text in enumerate(texts)]
    assert kinds["distinct program shapes"](judged) == 2


def test_what_a_model_wrote_has_no_meaning_in_the_page() -> None:
    page = Outcome([], [Sheet("examples", [{"text": "<b>2 | 3</b> *x* `y` $1$"}])], []).markdown("title")
    assert r"\<b\>2 \| 3\</b\> \*x\* \`y\` \$1\$" in page


def test_an_unchanged_model_is_not_said_to_change(maker: Maker, tmp_path: Path) -> None:
    maker.evaluated(0, varied)
    maker.evaluated(1, varied)
    for name in ("diversity", "error_locality"):
        outcome = ANALYSES[name](
            maker.run, tmp_path, 0, ["solutions=20", "continuations=4"] if name == "error_locality" else GIVEN[name]
        )
        assert not [one for one in outcome.sentences if " rose: " in one or " fell: " in one]
        assert any("no change" in one for one in outcome.sentences)


def test_only_the_rounds_that_are_evaluated_are_compared(narrowed: Run, tmp_path: Path) -> None:
    outcome = ANALYSES["diversity"](narrowed, tmp_path, 0)
    assert {row["round"] for row in outcome.sheets[0].rows} == {"baseline", "round 1"}


def test_the_crossing_is_the_smallest_k_from_which_on_the_last_round_is_behind() -> None:
    assert crossing_point([False, True, False, True, True]) == 4
    assert crossing_point([False, True, False]) is None
    assert crossing_point([True, True]) == 1


def test_a_model_that_solves_fewer_problems_more_often_is_overtaken() -> None:
    base = {"a": (10, 2), "b": (10, 2), "c": (10, 2)}
    last = {"a": (10, 9), "b": (10, 1), "c": (10, 0)}
    found = curves({0: base, 1: last}, "strict", EvaluateConfig())
    means = [
        [pass_at_k(np.array([10] * 3), np.array([c for _, c in counts.values()]), k).mean() for k in range(1, 11)]
        for counts in (base, last)
    ]
    assert found.crossing is not None
    assert means[1][found.crossing - 2] >= means[0][found.crossing - 2]
    assert all(means[1][k - 1] < means[0][k - 1] for k in range(found.crossing, 11))
    assert found.gains[found.crossing].value == pytest.approx(
        means[1][found.crossing - 1] - means[0][found.crossing - 1]
    )


def test_where_nothing_crosses_it_is_said(narrowed: Run, tmp_path: Path) -> None:
    sentences = ANALYSES["diversity"](narrowed, tmp_path, 0).sentences
    assert any("pass@k strict: crossing point: none up to k=4" in one for one in sentences)


def test_wrong_solutions_are_drawn_over_all_problems_before_a_second_of_any(narrowed: Run) -> None:
    drawn = draw_wrong(narrowed, 0, PROBLEMS + 3, 5)
    assert drawn.problems == PROBLEMS
    assert (drawn.wrong, drawn.eligible) == (2 * PROBLEMS, 2 * PROBLEMS)
    later = draw_wrong(narrowed, 1, 3, 5)
    assert [pair.wrong.problem_id for pair in later.pairs] == [pair.wrong.problem_id for pair in drawn.pairs[:3]]
    assert later.pairs[0].right.text.replace("\n", " ").startswith("Tom has"), "the nearest right one"


def test_the_page_shows_each_step_and_nothing_of_a_model_has_a_meaning_in_it(maker: Maker, tmp_path: Path) -> None:
    def hostile(problem: int, index: int) -> tuple[str, bool]:
        text, right = varied(problem, index)
        return (text if right else "<script>hacked()</script>\n" + text), right

    maker.evaluated(0, hostile)
    maker.evaluated(1, hostile)
    outcome = ANALYSES["error_locality"](maker.run, tmp_path, 0, ["solutions=12", "continuations=4", "unit=lines"])
    page = outcome.pages[0].read_text()
    assert page.count('class="solution"') == 20, "ten of each round"
    assert page.count("of 4</td>") == 20 * 4, "four lines each, and the continuations from before each"
    assert "<script" not in page
    assert "&lt;script&gt;hacked()" in page
    assert "default-src &#39;none&#39;" in page, "its head is that of all pages"
    assert "http" not in page.replace("http-equiv", "")


def test_what_was_drawn_is_kept_beside_the_page(narrowed: Run, tmp_path: Path) -> None:
    def drawn() -> dict[Path, int]:
        ANALYSES["error_locality"](narrowed, tmp_path, 0, GIVEN["error_locality"])
        return {path: path.stat().st_mtime_ns for path in tmp_path.glob("error_locality/round-0*/*.parquet")}

    first = drawn()
    assert len({path.parent for path in first}) == 2, "samples and verdicts of two rounds"
    assert drawn() == first


def test_settings_that_an_analysis_cannot_obey_are_named_before_it_begins_and_quiet_is_obeyed(
    narrowed: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes any stream for a terminal
    sampler = replace(narrowed.config.sampler, data_parallel=3, python="/elsewhere/bin/python")
    OmegaConf.save(config.to_dict(replace(narrowed.config, sampler=sampler)), narrowed.config_path)
    command = ["analyse", "error_locality", str(narrowed.root), *GIVEN["error_locality"]]
    assert main(["--quiet", *command, "--out", str(narrowed.root / "quiet")]) == 0
    assert capsys.readouterr().err == ""
    assert main([*command, "--out", str(narrowed.root / "heard")]) == 0
    heard = " ".join(capsys.readouterr().err.split())
    unheeded, bar = (
        "sampler.python=/elsewhere/bin/python, sampler.data_parallel=3 does not apply",
        "continuing solutions",
    )
    assert -1 < heard.find(unheeded) < heard.find(bar)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("error_locality", "solution=3", "unknown setting of the analysis: solution=3"),
        ("error_locality", "unit=words", "unit=words is not known; one of: lines, sentences, tokens"),
        ("error_locality", "continuations=some", "continuations"),
        ("diversity", "right=1", "right=1 is out of range"),
        ("gradient_equivalence", "right=1", "unknown setting of the analysis: right=1"),
        ("gain", "right=1", "has no settings"),
    ],
)
def test_a_wrong_setting_of_an_analysis_is_refused(
    name: str, given: str, words: str, maker: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyse", name, str(maker.run.root), given]) == 1
    assert words in capsys.readouterr().err


def test_among_right_solutions_only_their_own_wording_counts_and_not_how_many_they_are(
    maker: Maker, tmp_path: Path
) -> None:
    """The later round is right twice as often, in the same wording: all samples narrow, right ones do not."""

    def half(problem: int, index: int) -> tuple[str, bool]:
        return (solution(problem, 0), True) if index < 2 else (solution(problem, index, error=index), False)

    maker.evaluated(0, half)
    maker.evaluated(1, lambda problem, index: (solution(problem, 0), True))
    sentences = ANALYSES["diversity"](maker.run, tmp_path, 0, ["right=2"]).sentences
    assert any(one.startswith("distinct-2, all samples fell:") for one in sentences)
    assert any(one.startswith("distinct-2, 2 of all fell:") for one in sentences)
    assert any(one.startswith("no change in distinct-2, 2 right ones") for one in sentences)
    assert any(
        one.startswith(f"{PROBLEMS} problems have at least 2 right solutions in every round") for one in sentences
    )


def test_right_but_badly_formatted_samples_are_no_errors(maker: Maker, tmp_path: Path) -> None:
    maker.evaluated(0, alike)
    maker.evaluated(1, alike)
    path = records.shard_path(maker.run.folder(Stage(1, "evaluate")), "verdicts", 0)
    verdicts = list(records.read(path, Verdict))
    leniently = [replace(one, status=Status.PARTIAL, lenient=Status.CORRECT) for one in verdicts if one.index == 3]
    kept = {one.problem_id: one for one in leniently}
    records.write(path, Verdict, [kept[one.problem_id] if one.index == 3 else one for one in verdicts])
    with pytest.raises(DataError, match=f"0 wrong and {3 * PROBLEMS} right"):
        ANALYSES["error_locality"](maker.run, tmp_path, 0)


def test_of_a_few_problems_no_claim_is_made(maker: Maker, tmp_path: Path) -> None:
    def mixed_in_two(problem: int, index: int) -> tuple[str, bool]:
        return varied(problem, index) if problem < 2 else (solution(problem, 0), True)

    maker.evaluated(0, mixed_in_two)
    maker.evaluated(1, lambda problem, index: alike(problem, index) if problem < 2 else (solution(problem, 0), True))
    maker.thought(mixed_in_two)
    outcome = ANALYSES["error_locality"](maker.run, tmp_path, 0, GIVEN["error_locality"])
    assert all("[" not in row["mean"] + row["change, paired"] for row in outcome.sheets[0].rows)
    assert "low" not in (tmp_path / "error_locality.json").read_text()
    told = " ".join(outcome.sentences)
    assert "2 problems have both, too few to tell a change" in told


def test_without_a_baseline_or_a_round_there_is_nothing_to_compare(maker: Maker, tmp_path: Path) -> None:
    for name in ("diversity", "error_locality"):
        with pytest.raises(DataError, match=r"base model of .* is not evaluated"):
            ANALYSES[name](maker.run, tmp_path, 0)
    maker.evaluated(0, varied)
    for name in ("diversity", "error_locality"):
        with pytest.raises(DataError, match="only its base model"):
            ANALYSES[name](maker.run, tmp_path, 0)


@pytest.mark.parametrize("right", [True, False])
def test_with_right_or_wrong_samples_alone_nothing_can_be_laid_side_by_side(
    right: bool, maker: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def one_kind(problem: int, index: int) -> tuple[str, bool]:
        return solution(problem, index), right

    maker.evaluated(0, one_kind)
    maker.evaluated(1, one_kind)
    maker.thought(one_kind)
    with pytest.raises(DataError, match="no problem has both in baseline"):
        ANALYSES["error_locality"](maker.run, tmp_path, 0)
    assert main(["analyse", "error_locality", str(maker.run.root)]) == 1
    assert "raise evaluate.samples_per_problem" in capsys.readouterr().err
    ANALYSES["diversity"](maker.run, tmp_path, 0)


@pytest.mark.slow
def test_a_real_run_of_every_stage_can_be_analysed(tiny_command: Callable[..., list[str]], tmp_path: Path) -> None:
    assert main(tiny_command("rounds=1")) == 0
    [root] = find(tmp_path / "runs")
    run = Run.open(root)
    assert ANALYSES["diversity"](run, tmp_path / "out", 0).sentences
    # Random weights are never right, which the other two say; so a verdict of each problem is turned.
    for name in ("error_locality", "gradient_equivalence"):
        with pytest.raises(DataError, match="no problem has"):
            ANALYSES[name](run, tmp_path / "out", 0)
    for stage in (Stage(0, "evaluate"), Stage(1, "evaluate"), Stage(1, "judge")):
        for path in records.shards(run.folder(stage), "verdicts"):
            verdicts = list(records.read(path, Verdict))
            right = {"status": Status.CORRECT, "strict": Status.CORRECT, "lenient": Status.CORRECT}
            records.write(path, Verdict, [replace(one, **right) if one.index == 0 else one for one in verdicts])  # type: ignore[arg-type]
    for name, analyse in ANALYSES.items():
        outcome = analyse(run, tmp_path / "out", 0, GIVEN.get(name, ()))
        assert outcome.sentences, name
        assert all(figure.exists() for figure in outcome.figures)
    assert sum(1 for _ in records.read(run.problems_path("test"), Problem)) == 6


@pytest.mark.parametrize("name", ANALYSES)
def test_a_place_that_cannot_be_written_is_said_before_anything_is_analysed(
    maker: Maker, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    for out, words in (
        ("/proc/nope", f"/proc/nope/{name}.md cannot be written: No such file"),
        (str(tmp_path / "file"), "is a file, and a folder is needed there"),
    ):
        # The run has nothing to analyse, which would be said next.
        assert main(["analyse", name, str(maker.run.root), "--out", out]) == 1
        assert words in "".join(capsys.readouterr())
    assert (tmp_path / "file").read_text() == "mine"
