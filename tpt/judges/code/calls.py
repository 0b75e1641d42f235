"""Solutions that are called (`class Solution`), judged by assertions.

The process that runs the solution evaluates the calls, and only plain data comes out of it. The assertions are
evaluated on that data in another sandbox, in which no solution ever runs: whatever a solution patches, prints or
terminates, it can only return a value.
"""

import ast
import json
from collections.abc import Sequence
from importlib.resources import files

from tpt.judges.code.spec import Kind, Result, Spec
from tpt.judges.code.stdio import MIB, OUTPUT_BYTES, TIME_OUTS, failure, words
from tpt.sandbox.runner import Runner
from tpt.sandbox.worker import Limits, Program, Ran, Stop

CALLER = files("tpt.judges.code").joinpath("caller.py").read_text(encoding="utf-8")
REFEREE = files("tpt.judges.code").joinpath("referee.py").read_text(encoding="utf-8")
REFEREE_SECONDS = 3.0  # CPU seconds for all values of a solution; typically it takes milliseconds
INCOMPARABLE = "its value cannot be compared, or takes too long to"
ERROR = '{"error": '  # how a line begins that reports an error raised by a call
ERROR_LENGTH = 4_000  # a longer line was not written by caller.py


def judge(runner: Runner, referee: Runner, source: str, spec: Spec, partial: bool) -> Result:
    """Evaluate the calls with a solution, and the assertions on their values.

    Args:
        runner: runs the solution.
        referee: runs the assertions; no solution may ever run there.
        partial: whether to continue after a call that ends the process.

    Returns:
        the result over all assertions, which cost nothing once the calls have been made.
    """
    values: list[str | None] = []
    broken: dict[int, Ran] = {}  # the calls that ended the process, by index
    time_outs = 0
    while len(values) < len(spec.calls):
        first = len(values)
        ran = runner.run(_caller(source, spec, first), b"", spec.seconds, spec.memory_mb * MIB, OUTPUT_BYTES)
        lines = (ran.stdout or b"").decode("utf-8", "replace").splitlines()[: len(spec.calls) - first]
        values += lines
        if len(values) < len(spec.calls):
            broken[len(values)] = ran
            values.append(None)
            time_outs += failure(ran, spec.memory_mb * MIB) is Kind.TIME
            if time_outs == TIME_OUTS or not partial:
                break
    ran = _referee(referee, spec, values)
    said = (ran.stdout or b"").split()
    result = Result()
    for index, value in enumerate(values):
        if ran.stop is Stop.WALL:
            result.add(Kind.JUDGE_ERROR, "no core was free to compare the values")
        elif value is None:
            kind = failure(broken[index], spec.memory_mb * MIB)
            result.add(kind if kind is not Kind.NONE else Kind.CRASH, words(broken[index]) or "it ended early")
        elif index >= len(said):
            result.add(Kind.WRONG_ANSWER, INCOMPARABLE)
        elif said[index] == b"1":
            result.add(Kind.NONE)
        else:
            result.add(*_why(value))
    result.total = len(spec.calls)
    return result


def assertions(test: str) -> list[tuple[list[str], str]] | None:
    """The calls and assertions of a test function `def check(candidate): assert ...`.

    Values that are assigned beside the function, as HumanEval's `METADATA`, are left out, and so are assertions of a
    constant.

    Returns:
        for each assertion its calls of `candidate`, and the assertion with `_values[i]` in their place; None if the
        function does anything but assert.
    """
    try:
        module = ast.parse(test)
    except SyntaxError:
        return None
    functions = [one for one in module.body if isinstance(one, ast.FunctionDef) and one.name == "check"]
    others = [one for one in module.body if one not in functions and not isinstance(one, ast.Assign)]
    return asserted(functions[0].body, "candidate") if len(functions) == 1 and not others else None


def asserted(statements: Sequence[ast.stmt], name: str) -> list[tuple[list[str], str]] | None:
    """The calls and assertions of some statements, as `assertions` gives them.

    Args:
        name: of the function that is tested.

    Returns:
        None if a statement is no assertion, or asserts something without a call of the function.
    """
    found = []
    for statement in statements:
        if not isinstance(statement, ast.Assert):
            return None
        if isinstance(statement.test, ast.Constant) and statement.test.value:
            continue
        taker = _Taker(name)
        condition = taker.visit(statement.test)
        if not taker.calls:
            return None
        found.append((taker.calls, ast.unparse(condition)))
    return found or None


class _Taker(ast.NodeTransformer):
    """Extracts the calls of a function from an expression; in what it extracts, the function is `candidate`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls: list[str] = []

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Replace a call of the function by a reference to its value."""
        if not (isinstance(node.func, ast.Name) and node.func.id == self.name):
            self.generic_visit(node)
            return node
        self.calls.append(ast.unparse(ast.Call(ast.Name("candidate", ast.Load()), node.args, node.keywords)))
        place = ast.Subscript(ast.Name("_values", ast.Load()), ast.Constant(len(self.calls) - 1), ast.Load())
        return ast.copy_location(place, node)


def _caller(source: str, spec: Spec, first: int) -> Program:
    calls = [calls for calls, _ in spec.calls[first:]]
    given = f"PRELUDE, SOURCE, ENTRY, CALLS = {spec.prelude!r}, {source!r}, {spec.entry_point!r}, {calls!r}\n"
    return Program((given + CALLER).encode("utf-8", "backslashreplace"))


def _referee(runner: Runner, spec: Spec, values: list[str | None]) -> Ran:
    """A run that writes for each value whether its assertion holds, until one takes too long.

    It is never repeated: a value that is too large to read or to compare is the solution's fault.
    """
    checks = [condition for _, condition in spec.calls[: len(values)]]
    program = Program((f"PRELUDE, CHECKS = {spec.prelude!r}, {checks!r}\n" + REFEREE).encode())
    stdin = "\n".join(value or "" for value in values).encode("utf-8", "replace")
    seconds, memory = REFEREE_SECONDS * runner.slowness, max(2048, spec.memory_mb) * MIB
    with runner.gate.among_others():
        return runner.worker.run(program, stdin, Limits(seconds, 10 * seconds, memory, OUTPUT_BYTES))


def _why(value: str) -> tuple[Kind, str]:
    """What a wrong value says about the solution."""
    if not value.startswith(ERROR) or len(value) > ERROR_LENGTH:
        return Kind.WRONG_ANSWER, ""
    try:
        error = str(json.loads(value).get("error", ""))
    except (ValueError, AttributeError, RecursionError):
        return Kind.WRONG_ANSWER, "it wrote something that is not a value"
    return (Kind.MEMORY if error.startswith("MemoryError") else Kind.CRASH), error[:300]
