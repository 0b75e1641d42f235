"""A training as a process: `python -m fit_process MODEL EXAMPLES OUT SETTINGS SIGNAL`.

Once some steps are done it sends the signal to itself, which stands for SLURM; 0: none.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

from tpt import files, interrupt, ranks
from tpt.progress import Progress
from tpt.settings.train import TrainConfig
from tpt.train.fit import fit


def main(model: str, examples: str, out: str, settings: str, number: str) -> int:
    """Train; returns 75 where the signal has stopped it."""
    interrupt.catch()

    def strike() -> None:
        while len(list(files.read_jsonl(Path(out) / "metrics.jsonl"))) < 3:
            time.sleep(0.005)
        os.kill(os.getpid(), int(number))

    if int(number) and ranks.rank() == 0:
        threading.Thread(target=strike, daemon=True).start()
    try:
        fit(Path(model), Path(examples), Path(out), TrainConfig(**json.loads(settings)), 7, 2048, Progress())
    except interrupt.Interrupted:
        return interrupt.EXIT_INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
