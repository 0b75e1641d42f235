"""What makes vLLM faster on this machine's CPU: engine settings, changed one at a time.

    python benchmarks/vllm_cpu.py

Each is tpt's own think stage on the prompts of `think.py`, in a separate process; they take turns. The defaults in
`tpt/think/vllm.py` are the best settings on two cores. Not part of `make bench`, because it tunes and compares with no
other tool. The time to get ready is that of an engine's last start, when what it compiles is in its cache.
"""

import argparse
import statistics

from side_by_side import Figure, Timed, save
from think import one_turn

BIND = "VLLM_CPU_OMP_THREADS_BIND"
TRIED: dict[str, tuple[list[str], dict[str, str]]] = {
    "the defaults": ([], {}),
    "blocks of 128 tokens": (["sampler.block_size=128"], {}),
    "blocks of 64 tokens": (["sampler.block_size=64"], {}),
    "threads bound to cores 0 and 1": ([], {BIND: "0-1"}),
    "vLLM binds its threads as it likes": ([], {BIND: "auto"}),
    "64 sequences": (["sampler.max_num_seqs=64"], {}),
    "128 sequences": (["sampler.max_num_seqs=128"], {}),
    "the model compiled": (["sampler.enforce_eager=false"], {}),
}


def main() -> None:
    """Try all settings and print their rates relative to the defaults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=48)
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in TRIED}
    start: dict[str, float] = {}
    for turn in range(options.turns):
        for name, (overrides, environment) in TRIED.items():
            found = one_turn("tpt", options.problems, options.n, overrides, environment)
            seconds[name].append(found["seconds"] / found["tokens"])
            start[name] = found["start"]
            print(f"turn {turn + 1} of {options.turns}: {name:<36} {1 / seconds[name][-1]:8.1f} tokens/s", flush=True)
    base = Timed(seconds["the defaults"])
    size = f"{options.problems} problems x {options.n}"
    save(
        "vllm_cpu",
        [
            Figure(
                what=f"{name}, {size}",
                peer="the defaults",
                ours=Timed(taken).rate(1, "tokens"),
                theirs=base.rate(1, "tokens"),
                ratio=base.median / statistics.median(taken),
                mark=None,
                same=f"ready after {start[name]:.1f} s, the defaults after {start['the defaults']:.1f} s",
            )
            for name, taken in seconds.items()
            if name != "the defaults"
        ],
    )


if __name__ == "__main__":
    main()
