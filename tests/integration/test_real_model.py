"""One short round of SmolLM2-135M-Instruct, with each engine that is installed."""

from pathlib import Path

import pytest
import real_round
from slurm_lab import missing_programs

from tpt.cli import main
from tpt.probe import has_vllm
from tpt.runs.folder import Run, find


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["vllm", "transformers"])
def test_the_real_small_model_goes_through_a_round(engine: str, smollm2: Path, tmp_path: Path) -> None:
    if engine == "vllm" and not has_vllm():
        pytest.skip("vLLM is not installed")
    if engine == "vllm" and not missing_programs():
        pytest.skip("test_slurm.py does the same round with vLLM, through SLURM")
    assert main(["run", *real_round.SHORT, f"sampler={engine}", f"run_root={tmp_path}"]) == 0
    [root] = find(tmp_path)
    real_round.check(Run.open(root), engine, smollm2)
