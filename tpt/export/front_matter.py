"""What the hub reads of a model card."""

from huggingface_hub import EvalResult, ModelCardData

from tpt.evaluate.metrics import READERS
from tpt.export.origin import Base, hub_dataset
from tpt.report.rows import Row
from tpt.runs.folder import Run

TAGS = ["think-prune-train", "self-improvement", "reasoning", "arxiv:2504.18116"]


def front_matter(run: Run, round: int, base: Base, rows: list[Row]) -> str:
    """The YAML for a model card: what it is made from, under which licence, and pass@k of its round with intervals."""
    data = ModelCardData(
        model_name=f"{run.config.model.name}-tpt-round-{round}",
        base_model=base.hub_id or None,
        base_model_relation="finetune" if base.hub_id else None,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=[*TAGS, run.config.task.name],
        datasets=[hub_dataset(run)] if hub_dataset(run) else None,
        eval_results=[result for row in rows if row.round == round for result in _eval_results(run, row)] or None,
        license=base.license.get("license"),
        license_name=base.license.get("license_name"),
        license_link=base.license.get("license_link"),
    )
    return str(data.to_yaml())


def _eval_results(run: Run, row: Row) -> list[EvalResult]:
    return [
        EvalResult(
            task_type="text-generation",
            dataset_type=hub_dataset(run) or run.config.task.name,
            dataset_name=f"{run.config.task.name}, {row.metrics['problems']} test problems",
            dataset_split="test",
            metric_type=f"pass@{k}",
            metric_name=f"pass@{k}, {reader} reader",
            metric_value=round(row.interval(reader, "pass@k", k).value, 4),
            metric_args={
                "confidence": row.confidence,
                "low": round(row.interval(reader, "pass@k", k).low, 4),
                "high": round(row.interval(reader, "pass@k", k).high, 4),
                "samples_per_problem": run.config.evaluate.samples_per_problem,
                "temperature": run.config.evaluate.temperature,
            },
        )
        for k in row.ks
        for reader in READERS
    ]
