"""The model card: what the hub reads (YAML front matter) and what a person reads, all from the run folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from tpt import chat, markdown, prompt
from tpt.artefacts import Prepared
from tpt.export.examples import FILE
from tpt.export.front_matter import front_matter
from tpt.export.origin import Base
from tpt.report import table
from tpt.report.rows import Row, collect, round_name
from tpt.report.sentences import gain_in_words
from tpt.runs import rounds
from tpt.runs import table as stages
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings import config

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PAPER = "https://arxiv.org/abs/2504.18116"
CITATION = """\
@article{costello2025think,
  title   = {Think, Prune, Train, Improve: Scaling Reasoning without Scaling Models},
  author  = {Costello, Caia and Guo, Simon and Goldie, Anna and Mirhoseini, Azalia},
  journal = {arXiv preprint arXiv:2504.18116},
  year    = {2025}
}"""
SOURCES = {
    "self": "its own solutions",
    "human": "the data set's worked solutions",
    "run": "the examples that another run kept",
    "mix": "a mix of its own and other solutions",
}
KEEPS = {
    "none": "any finished solution was kept",
    "ground_truth": "solutions were kept that are right by the {reader} reader",
    "soft_positive": "solutions were kept that are right by the {reader} reader or have partial credit ({threshold})",
    "well_formed_wrong": "WRONG solutions were kept whose answer has the right form: this model is a control",
}
OWN = "solutions were kept by a function of the user's own"


def model_card(run: Run, round: int, base: Base, tokenizer: "PreTrainedTokenizerBase") -> str:
    """The README.md of an exported model with this tokenizer."""
    rows = [row for row in collect([run]) if row.round <= round]
    title = f"{run.config.model.name} after {round_count(round)} of Think, Prune, Train"
    sections = [
        f"# {title}\n\n{_summary(run, round, base, rows)}",
        f"## Results\n\n{_results(run, round, rows)}",
        f"## What was measured, and what was not\n\n{_measured(run, round, rows)}",
        f"## How it was made\n\n{_method(run, round)}",
        f"## Use\n\n{_use(run, tokenizer)}",
        f"## Licence\n\n{base.license_words}",
        f"## Settings\n\n{_settings(run, round)}",
        f"## Citation\n\nThe method is that of [Think, Prune, Train, Improve]({PAPER}):\n\n```bibtex\n{CITATION}\n```",
    ]
    return f"---\n{front_matter(run, round, base, rows)}\n---\n\n" + "\n\n".join(sections) + "\n"


def round_count(round: int) -> str:
    """So many rounds, in words."""
    return "1 round" if round == 1 else f"{round} rounds"


def _summary(run: Run, number: int, base: Base, rows: list[Row]) -> str:
    teacher = run.config.think.teacher
    solved = f"solutions that {teacher.name} wrote" if teacher else SOURCES[run.config.prune.source]
    what = f"{base.words}, fine-tuned in {round_count(number)} on {solved} to the training problems of "
    what += f"`{run.config.task.name}` that `{run.config.prune.mode_name}` pruning kept."
    last = [row for row in rows if row.round == number]
    if not last:
        return f"{what}\n\nThis round is **not evaluated**: how good the model is was not measured."
    told = gain_in_words(last[0]) if "baseline" in last[0].gains else "The base model was not evaluated in this run."
    return f"{what}\n\n{told[0].upper()}{told[1:]} (brackets: {table.interval_words(rows)})."


def _results(run: Run, number: int, rows: list[Row]) -> str:
    done = {row.round for row in rows}
    missing = [round_name(one) for one in range(number + 1) if one not in done]
    notes = [f"Not evaluated: {', '.join(missing)}"] if missing else []
    if any(row.unsafe for row in rows):
        notes.append(table.UNSAFE)
    if not rows:
        return "\n\n".join(notes)
    settings = run.config.evaluate
    drawn = (
        f"{rows[-1].metrics['problems']} test problems, {settings.samples_per_problem} samples each at temperature "
        f"{settings.temperature:g}, up to {settings.max_tokens} tokens."
    )
    readers = (
        "`pass@k` is the unbiased estimate. *Strict* reads an answer only in the asked-for form (programs: all tests "
        "pass), *lenient* also in other forms (programs: the same): a gain in strict that lenient does not show is one "
        "of format. Gains are paired by problem; intervals are over problems."
    )
    return f"{drawn} {readers}\n\n{table.markdown(rows, notes)}"


def _measured(run: Run, number: int, rows: list[Row]) -> str:
    task, shots = run.config.task.name, len(run.config.task.worked_examples())
    seen = f"with {shots} worked examples in the prompt" if shots else "without worked examples in the prompt"
    what = f"solving problems of the test split of `{task}`, {seen}."
    lines = [f"Measured: {what}" if rows else f"Nothing was measured yet; to be measured: {what}"]
    lines.append(
        "Not measured: anything else, such as other tasks, other prompts, general abilities, safety, or what the model "
        "has unlearnt. It was trained on this task alone, and may be worse than its base model elsewhere."
    )
    overlap = {
        "none": "no training question is word for word a test question; smaller overlaps were not looked for "
        "(`prune.decontaminate=none`)",
        "exact": "training problems that equal a test problem except for case, punctuation and spacing were dropped",
        "ngram": f"training problems that share {run.config.prune.decontaminate_n} words in a row with a test problem "
        "were dropped",
    }[run.config.prune.decontaminate]
    lines.append(
        f"Overlap of training and test problems: {overlap}. Whether the base model had seen them is not known."
    )
    lines += [line for line in [_choice(run, number)] if line]
    return "\n".join(f"- {line}" for line in lines)


def _choice(run: Run, number: int) -> str:
    """By which problems the round was chosen; "" if there was nothing to choose."""
    stop = run.stopped()
    trained = [stage.round for stage in run.stages() if stages.of(stage).trains and run.done(stage)]
    if number == (stop.take if stop else rounds.best(run, [0, *trained])):
        problems = run.results(stages.PREPARED, Prepared)["dev"]
        return (
            f"Chosen on dev, reported on test: this round was chosen by {rounds.figure_name(run)} on {problems} dev "
            "problems, which were not trained on and are not among the test problems."
        )
    if number == 1:
        return ""
    return "The test problems are the same for every round; the round that is exported may have been chosen by them."


def _method(run: Run, number: int) -> str:
    think, prune, train = run.config.think, run.config.prune, run.config.train
    kept = KEEPS.get(prune.mode, OWN).format(reader=prune.reader, threshold=prune.threshold)
    thinker = think.teacher.name if think.teacher else "the model of the round before"
    if prune.flip.rate:
        which = "on solutions that were not right" if prune.flip.which == "false_positives" else "on all solutions"
        kept += f", after the judge's verdicts {which} were flipped with a probability of {prune.flip.rate:g}"
    drawn = "all of them" if prune.examples is None else f"{prune.examples:,} of them"
    each = f"at most {prune.per_problem} a problem" if prune.per_problem else "all of a problem's"
    start = "the round before" if train.start_from == "previous" else "the base model"
    adapters = f", as LoRA adapters of rank {train.lora.rank}, merged" if train.lora.rank else ""
    steps = [
        f"**Think**: {thinker} wrote {think.samples_per_problem} solutions to each training problem, at temperature "
        f"{think.temperature:g}, up to {think.max_tokens} tokens.",
        f"**Prune**: {kept} (`{prune.mode_name}`); source of the examples: `{prune.source}`; {each}; {drawn} were drawn"
        f"{', and added to those of earlier rounds' if prune.accumulate else ', in place of those of earlier rounds'}.",
        f"**Train**: supervised fine-tuning from {start} on the completions alone{adapters}; AdamW, learning rate "
        f"{train.learning_rate:g}, {train.extent}, batch {train.batch_size}.",
    ]
    listed = "\n".join(f"{place}. {step}" for place, step in enumerate(steps, 1))
    return (
        f"[Think, Prune, Train]({PAPER}) with `tpt`. Each round:\n\n{listed}\n\n{_rounds_table(run, number)}\n"
        f"The examples are in the folder `examples` beside this one (`{FILE}`), or in the data set named above."
    )


def _rounds_table(run: Run, number: int) -> str:
    columns = {
        "samples": "available",
        "right, strict": "correct",
        "right, lenient": "lenient",
        "cut off": "cut_off",
        "dropped for overlap": "decontaminated_samples",
        "kept": "kept",
        "trained on": "examples",
    }
    rows = []
    for one in range(1, number + 1):
        counts = run.results(Stage(one, stages.PRUNE.name), dict[str, int])
        rows.append({"round": str(one)} | {head: f"{counts[name]:,}" for head, name in columns.items()})
    return markdown.table(rows, numbers=True)


def _use(run: Run, tokenizer: "PreTrainedTokenizerBase") -> str:
    template = chat.template_of(tokenizer, run.config.model.trained())
    variables = "".join(f", {name}={value!r}" for name, value in run.config.model.template.items())
    encode = (
        "tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True, "
        f'return_tensors="pt"{variables})'
        if template
        else 'tokenizer("\\n\\n".join(turn["content"] for turn in chat) + "\\n\\n", return_tensors="pt")'
    )
    after = 0 if template else prompt.appended(tokenizer)
    cut = f"inputs = {{name: ids[:, :-{after}] for name, ids in inputs.items()}}  # the text goes on: no end token\n"
    shots = len(run.config.task.worked_examples())
    before = (
        f"The figures hold for prompts like those of training: {shots} worked examples as earlier turns of the chat"
    )
    before = before if shots else "The figures hold for prompts like those of training: one turn that asks the question"
    return (
        f"{before}. The column `prompt` of the examples has them whole.\n\n"
        "```python\n"
        "from datasets import load_dataset\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        'model = AutoModelForCausalLM.from_pretrained("model")  # this folder, or its id on the hub\n'
        'tokenizer = AutoTokenizer.from_pretrained("model")\n'
        'chat = load_dataset("examples", split="train")[0]["prompt"]\n'
        f"inputs = {encode}\n"
        f"{cut if after else ''}"
        f"output = model.generate(**inputs, max_new_tokens={run.config.evaluate.max_tokens})\n"
        'print(tokenizer.decode(output[0][inputs["input_ids"].shape[1] :], skip_special_tokens=True))\n'
        "```"
    )


def _settings(run: Run, number: int) -> str:
    seeds = [stage for stage in stages.think_prune_train(number) if stages.of(stage).seeded]
    made = run.manifest(stages.training(number))
    trained = run.results(stages.training(number), dict[str, Any])
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    facts = [
        f"run `{run.name}`, stage `{stages.training(number)}` with fingerprint `{made['fingerprint']}`",
        f"seed {run.config.seed}; of the stages: {', '.join(f'{stage} {run.seed(stage)}' for stage in seeds)}",
        f"versions: {versions}",
        f"trained on {trained.get('device', 'a device that was not recorded')}, precision "
        f"{trained.get('precision', run.config.train.precision)}; prompts that name a date name {chat.DATE}",
    ]
    text = OmegaConf.to_yaml(OmegaConf.create(_public(config.to_dict(run.config, runtime=False))))
    listed = "\n".join(f"- {fact}" for fact in facts)
    folded = f"<details><summary>All settings that results depend on</summary>\n\n```yaml\n{text}```\n\n</details>"
    return f"{listed}\n\n{folded}"


def _public(value: Any) -> Any:
    """Settings without the paths of this machine: only the last name of a local path is kept."""
    if isinstance(value, dict):
        return {key: _public(one) for key, one in value.items()}
    if isinstance(value, str) and value.startswith(("/", "~", "./", "../")):
        return Path(value).name
    return value
