"""Programs that read stdin and write stdout: one run per test, its output compared outside the sandbox."""

from collections.abc import Callable

from tpt.judges.code.output import same
from tpt.judges.code.spec import Kind, Result, Spec
from tpt.sandbox.runner import Runner
from tpt.sandbox.worker import Program, Ran, Stop

# (stdin, printed, expected, spec) -> whether the output is right; for problems with several right answers
Checker = Callable[[bytes, bytes, bytes, Spec], bool]

MIB = 2**20
OUTPUT_BYTES = 16 * MIB  # more than any answer; in addition to twice the expected output's size
TIME_OUTS = 2  # time-outs after which the remaining tests count as failed, so that a solution takes a bounded time
SHORT = 300


def by_tokens(stdin: bytes, printed: bytes, expected: bytes, spec: Spec) -> bool:
    """The checker of problems with one right answer."""
    return same(printed, expected, spec.tolerance, spec.case_sensitive)


def judge(runner: Runner, program: Program, spec: Spec, checker: Checker, partial: bool) -> Result:
    """Run a program on every test, or, unless `partial` is set, only up to the first failure."""
    result = Result()
    time_outs = 0
    for stdin, expected in spec.tests:
        given, wanted = stdin.encode(), expected.encode()
        room = OUTPUT_BYTES + 2 * len(wanted)
        ran = runner.run(program, given, spec.seconds, spec.memory_mb * MIB, room)
        kind = failure(ran, spec.memory_mb * MIB)
        if kind is Kind.NONE and not checker(given, ran.stdout or b"", wanted, spec):
            kind = Kind.WRONG_ANSWER
        result.add(kind, "" if kind is Kind.NONE else words(ran))
        time_outs += kind is Kind.TIME
        if time_outs == TIME_OUTS or (kind is not Kind.NONE and not partial):
            break
    result.total = len(spec.tests)
    return result


def failure(ran: Ran, memory: int) -> Kind:
    """Why a run cannot be right, whatever it printed; NONE if it ended normally."""
    if ran.stop in (Stop.CPU, Stop.WALL):
        return Kind.TIME
    if ran.stop is Stop.MEMORY:
        return Kind.MEMORY
    if ran.stdout is None:
        return Kind.OUTPUT
    if ran.exit_code == 0:
        return Kind.NONE
    out_of_memory = "MemoryError" in ran.stderr or "bad_alloc" in ran.stderr or ran.peak > 0.9 * memory
    return Kind.MEMORY if out_of_memory else Kind.CRASH


def words(ran: Ran) -> str:
    """What a person needs to know about a failed run."""
    lines = ran.stderr.strip().splitlines()
    said = lines[-1][:SHORT] if lines else ""
    if ran.exit_code and ran.stop is Stop.ENDED:
        how = f"signal {-ran.exit_code}" if ran.exit_code < 0 else f"exit code {ran.exit_code}"
        return f"{how}: {said}" if said else how
    return f"{ran.cpu:.1f} s of CPU, {ran.wall:.1f} s" if ran.stop in (Stop.CPU, Stop.WALL) else said
