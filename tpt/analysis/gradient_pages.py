"""What `gradient_equivalence` found, in words, tables and a figure."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from tpt.analysis import picture
from tpt.analysis.compare import shown
from tpt.analysis.inner_products import (
    FEWEST,
    LEVELS,
    Scores,
    Side,
    across,
    agreement,
    cosine,
    one_of,
    plugged_in,
    products,
    right,
)
from tpt.analysis.outcome import Sheet
from tpt.evaluate.intervals import Interval, interval_words
from tpt.report.figure import COLOURS, GREY
from tpt.runs.folder import Run

Figures = dict[str, Interval | None]

# What section 2.1 claims, and how far from it still counts as "about".
CLAIM = {"cosine": (1.0, 0.1), "ratio": (2.0, 0.2), "sides": (-1.0, 0.1), "residual": (0.0, 0.1)}
WORDS = {
    "cosine": "cos(policy, p g+)",
    "ratio": "|policy| / |p g+|",
    "sides": "cos(p g+, (1-p) g-)",
    "residual": "|p g+ + (1-p) g-|² / |p g+|²",
}
LEVEL = {"within": "within problems", "across": "over problems"}
UNKNOWN = "cannot be told"


@dataclass(frozen=True, eq=False)
class Found:
    """The scores under each condition, and everything that is said of them.

    Attributes:
        run: whose checkpoints they are of.
        scores: see `gradient_equivalence.measure`.
        pool: of how many samples of a problem one solution is chosen.
    """

    run: Run
    scores: dict[str, Scores]
    pool: int

    @property
    def problems(self) -> int:
        """How many problems were sampled."""
        return len(self.scores["base"].right)

    @property
    def confidence(self) -> float:
        """Of the intervals."""
        return self.run.config.evaluate.confidence

    @property
    def conditions(self) -> dict[str, str]:
        """What each condition that was measured is, in words."""
        think = self.run.config.think
        cut = f", top_p {think.top_p:g}" if think.top_p < 1 else ""
        words = {
            "base": "base model, its own samples at T = 1 (theorem)",
            "sampled": f"base model, its samples at T = {think.temperature:g}{cut}",
            "frozen": "model of round 1, the base model's samples at T = 1",
            "fresh": "model of round 1, its own samples at T = 1 (theorem)",
        }
        return {name: words[name] for name in self.scores}

    @cached_property
    def figures(self) -> dict[tuple[str, str], Figures]:
        """The figures of section 2.1 by condition and level."""
        return {
            (name, level): products(scores, level).figures(self.confidence)
            for name, scores in self.scores.items()
            for level in LEVELS
        }

    @cached_property
    def curve(self) -> dict[tuple[int, str], Figures]:
        """The figures of the base model's own samples by samples of a problem and level: 2, 4, 8, ..., all."""
        base = self.scores["base"]
        most = base.right.shape[1]
        sizes = [*(2**power for power in range(1, 20) if 2**power < most), most]
        return {(n, level): products(base.first(n), level).figures(self.confidence) for n in sizes for level in LEVELS}

    @cached_property
    def directions(self) -> dict[str, Interval | None]:
        """Cosines over problems of what a round follows and the policy gradient at the same weights."""
        think, base, sampled = self.run.config.think, right(self.scores["base"]), self.scores["sampled"]
        heat = f"samples at T = {think.temperature:g}"
        one = f"one right solution of {self.pool} per problem"
        pairs = {
            f"all right {heat}": (right(sampled), base),
            f"{one}, samples at T = 1": (one_of(self.scores["base"], self.pool), base),
            f"{one}, {heat}": (one_of(sampled, self.pool), base),
        }
        if "frozen" in self.scores:
            frozen, fresh = (right(self.scores[name]) for name in ("frozen", "fresh"))
            pairs["all right samples of the base model, at the end of round 1"] = (frozen, fresh)
        return {name: self._cosine(*pair) for name, pair in pairs.items()}

    def _cosine(self, one: Side, other: Side) -> Interval | None:
        return cosine(across(one, other), across(one, one), across(other, other), self.confidence)

    def sentences(self) -> list[str]:
        """One sentence for each question, which claims no more than the intervals do."""
        if self.problems < FEWEST:
            return [
                f"{self.problems} problems have right and wrong samples, too few for an interval: {FEWEST} are needed"
            ]
        said = [
            f"{words}, {LEVEL[level]}: {WORDS[name]} {self._told(self.figures[condition, level][name], name)}"
            for condition, words in self.conditions.items()
            for level in LEVELS
            for name in ("cosine", "ratio")
        ]
        said += [
            f"cosine of the gradient on {words} and the policy gradient, over problems: {self._told(found, 'cosine')}"
            for words, found in self.directions.items()
        ]
        if "frozen" not in self.scores:
            said.append("the frozen round is not measured: round 1 is not trained yet")
        return said

    def _told(self, found: Interval | None, name: str) -> str:
        claim, margin = CLAIM[name]
        about = f"about {claim:g} (within {margin:g})"
        if found is None:
            return f"{UNKNOWN}: a norm is not clearly above 0 with so few samples"
        words = {
            "agrees": f"agrees with {about}",
            "does not agree": f"is not {about}",
            UNKNOWN: f"may be {about} or not",
        }
        return f"{shown(found, 2)} {words[agreement(found, claim, margin)]}"

    def sheets(self) -> list[Sheet]:
        """The tables."""
        words = f"{self.problems} problems, {interval_words(self.confidence)} and samples"
        claims = {WORDS[name]: f"{claim:g} ± {margin:g}" for name, (claim, margin) in CLAIM.items()}
        rows = [{"gradient and samples": "claimed", "": "", "samples": "", "right, %": ""} | claims]
        for name, said in self.conditions.items():
            of = self.scores[name].right
            head = {"gradient and samples": said, "samples": f"{of.size}", "right, %": f"{100 * of.mean():.0f}"}
            for level in LEVELS:
                found = self.figures[name, level]
                rows.append(head | {"": LEVEL[level]} | {WORDS[one]: _cell(found[one]) for one in WORDS})
        ordered = [{key: row[key] for key in rows[0]} for row in rows]
        directions = [
            {"what training follows": name, "cosine with the policy gradient": _cell(found)}
            for name, found in self.directions.items()
        ]
        return [
            Sheet(f"right and wrong samples (policy = p g+ - (1-p) g-), {words}", ordered),
            Sheet(f"what a round follows, over problems, {words}", directions),
            Sheet(f"convergence: the base model's own samples at T = 1, {words}", self._converging()),
        ]

    def _converging(self) -> list[dict[str, str]]:
        rows = []
        for n in dict.fromkeys(n for n, _ in self.curve):
            row = {"samples of a problem": str(n)}
            for name in ("sides", "ratio"):
                row |= {f"{WORDS[name]}, {LEVEL[level]}": _cell(self.curve[n, level][name]) for level in LEVELS}
            sides, ratio = plugged_in(self.scores["base"].first(n))
            rows.append(row | {"cos(g+, g-) of plain means": f"{sides:.2f}", "|g+ - g-| / |g+|": f"{ratio:.2f}"})
        return rows

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""

        def plain(figures: Figures) -> dict[str, Any]:
            return {name: found.to_dict() if found else None for name, found in figures.items()}

        return {
            "problems": self.problems,
            "samples": {name: int(one.right.shape[1]) for name, one in self.scores.items()},
            "right": {name: float(one.right.mean()) for name, one in self.scores.items()},
            "figures": {f"{name}, {level}": plain(found) for (name, level), found in self.figures.items()},
            "directions": plain(self.directions),
            "curve": [{"samples": n, "level": level} | plain(found) for (n, level), found in self.curve.items()],
        }

    def draw(self, path: Path) -> Path:
        """Write the figure: the convergence of two figures, and what a round follows."""
        title = f"{self.run.name}, {self.problems} problems\n{interval_words(self.confidence)} and samples"
        with picture.panels(path, 3, 3, title) as (sides, ratio, directions):
            for panel, name, at in ((sides, "sides", 0), (ratio, "ratio", 1)):
                self._converge(panel, name, at)
            self._direct(directions)
        return path

    def _converge(self, panel: Axes, name: str, at: int) -> None:
        claim, margin = CLAIM[name]
        panel.axhspan(
            claim - margin, claim + margin, color=COLOURS[2], alpha=0.15, linewidth=0, label="theorem ± margin"
        )
        sizes = list(dict.fromkeys(n for n, _ in self.curve))
        base = self.scores["base"]
        plain = [plugged_in(base.first(n))[at] for n in sizes]
        panel.plot(sizes, plain, "x--", color=GREY, linewidth=1, label="of plain means (biased)")
        for number, level in enumerate(LEVELS):
            told = [(n, found) for n in sizes if (found := self.curve[n, level][name])]
            for n, found in told:
                panel.vlines(n * (1 + 0.06 * number), found.low, found.high, color=COLOURS[number], linewidth=1.4)
            places = [n * (1 + 0.06 * number) for n, _ in told]
            panel.plot(places, [one.value for _, one in told], "o", color=COLOURS[number], label=LEVEL[level])
        panel.set_xscale("log", base=2)
        panel.set_xticks(sizes, [str(n) for n in sizes])
        panel.set_xlabel("samples of a problem")
        panel.legend(frameon=False, fontsize=8)
        picture.name(panel, WORDS[name])

    def _direct(self, panel: Axes) -> None:
        claim, margin = CLAIM["cosine"]
        panel.axvspan(claim - margin, claim + margin, color=COLOURS[2], alpha=0.15, linewidth=0)
        for at, found in enumerate(self.directions.values()):
            if found:
                panel.hlines(at, found.low, found.high, color=COLOURS[0], linewidth=1.6)
                panel.plot([found.value], [at], "o", color=COLOURS[0])
            else:
                panel.text(0.5, at, UNKNOWN, va="center", ha="center", fontsize=8, color=GREY)
        names = [name.replace(", ", ",\n") for name in self.directions]
        panel.set_yticks(range(len(names)), names, fontsize=7)
        panel.set_ylim(len(names) - 0.5, -0.5)
        panel.set_xlim(left=min(0.0, panel.get_xlim()[0]))
        picture.name(panel, "cosine with the policy gradient")


def _cell(found: Interval | None) -> str:
    return shown(found, 2) if found else UNKNOWN
