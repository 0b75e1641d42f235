# ruff: noqa: E501
"""Judging programs, in real sandboxes."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tpt.errors import SandboxError
from tpt.judges.code import calls
from tpt.judges.code.judge import Judge, verdicts
from tpt.judges.code.program import Language
from tpt.judges.code.spec import Kind, Result, Spec
from tpt.judges.thinking import UNFINISHED
from tpt.records import Sample, Status
from tpt.sandbox import runner
from tpt.sandbox.command import Sandbox

pytestmark = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed: make sandbox")

ADD = Spec(tests=[("1 2\n", "3\n"), ("0 0\n", "0\n"), ("5 -7\n", "-2\n"), ("2 2\n", "4\n")], seconds=2)
RIGHT = "a, b = map(int, input().split())\nprint(a + b)"
PRELUDE = """
from typing import List, Optional
class ListNode:
    def __init__(self, val=0, next=None):
        self.val, self.next = val, next
def list_node(values):
    head = None
    for value in reversed(values):
        head = ListNode(value, head)
    return head
def is_same_list(p, q):
    while p and q and p.val == q.val:
        p, q = p.next, q.next
    return p is None and q is None
"""


# As contestants write it at the top of their solutions.
FAST_INPUT = """
import os, sys
from io import BytesIO, IOBase

class FastIO(IOBase):
    def __init__(self, file):
        self._fd = file.fileno()
        self.buffer = BytesIO()
        self.writable = "x" in file.mode or "r" not in file.mode
        self.write = self.buffer.write if self.writable else None
        self.newlines = 0

    def readline(self):
        while self.newlines == 0:
            b = os.read(self._fd, max(os.fstat(self._fd).st_size, 8192))
            self.newlines = b.count(b"\\n") + (not b)
            ptr = self.buffer.tell()
            self.buffer.seek(0, 2), self.buffer.write(b), self.buffer.seek(ptr)
        self.newlines -= 1
        return self.buffer.readline()

    def flush(self):
        if self.writable:
            os.write(self._fd, self.buffer.getvalue())
            self.buffer.truncate(0), self.buffer.seek(0)

class IOWrapper(IOBase):
    def __init__(self, file):
        self.buffer = FastIO(file)
        self.flush = self.buffer.flush
        self.writable = self.buffer.writable
        self.write = lambda s: self.buffer.write(s.encode("ascii"))
        self.readline = lambda: self.buffer.readline().decode("ascii")

sys.stdin, sys.stdout = IOWrapper(sys.stdin), IOWrapper(sys.stdout)
input = lambda: sys.stdin.readline().rstrip()
print(sum(map(int, input().split())))
"""


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(workers=2) as made:
        yield made


def one(judge: Judge, source: str, spec: Spec = ADD, partial: bool = True, language: Language = "python") -> Result:
    [result] = judge.results([(spec, language, source)], partial)
    return result


def called(test: str, seconds: float = 2.0) -> Spec:
    found = calls.assertions(f"def check(candidate):\n{test}")
    assert found
    return Spec(calls=found, entry_point="Solution().f", prelude=PRELUDE, seconds=seconds)


def test_a_right_solution_passes_every_test(judge: Judge) -> None:
    assert one(judge, RIGHT) == Result(passed=4, total=4)


def test_partial_credit_counts_the_tests_and_names_the_first_that_fails(judge: Judge) -> None:
    result = one(judge, "a, b = map(int, input().split())\nprint(abs(a + b))")
    assert (result.passed, result.total, result.first_failed, result.kind) == (3, 4, 3, Kind.WRONG_ANSWER)


def test_without_partial_credit_judging_stops_at_the_first_failing_test(judge: Judge) -> None:
    result = one(judge, "a, b = map(int, input().split())\nprint(a + b if a else 1)", partial=False)
    assert (result.passed, result.total, result.first_failed) == (1, 4, 2)


@pytest.mark.parametrize(
    ("source", "kind", "reason"),
    [
        ("print(1 / 0)", Kind.CRASH, "ZeroDivisionError"),
        ("def f(:", Kind.CRASH, "SyntaxError"),
        ("import nothing_of_the_kind", Kind.CRASH, "ModuleNotFoundError"),
        ("import sys\nsys.exit('no')", Kind.CRASH, "exit code 1: no"),
        ("x = [0] * 10**10", Kind.MEMORY, "MemoryError"),
        ("while True:\n    print('x' * 10**6)", Kind.OUTPUT, ""),
        ("while True:\n    pass", Kind.TIME, "s of CPU"),
        ("print('x')", Kind.WRONG_ANSWER, ""),
    ],
)
def test_the_kind_says_what_went_wrong(judge: Judge, source: str, kind: Kind, reason: str) -> None:
    result = one(judge, source, partial=False)
    assert result.kind is kind
    assert reason in result.reason
    assert result.passed == 0


@pytest.mark.parametrize(
    "source",
    [
        "import os\ndata = os.read(0, os.fstat(0).st_size)\na, b = map(int, data.split())\nprint(a + b)",
        "print(sum(map(int, open(0).read().split())))",
        "print(sum(map(int, open('/dev/stdin').read().split())))",
        "import sys\nprint(sum(map(int, sys.stdin.buffer.readline().split())))",
        "import sys\nfor line in sys.stdin:\n    sys.stdout.write(str(sum(map(int, line.split()))))\nexit()",
        "import atexit, io, sys\nout = io.StringIO()\nsys.stdout = out\n"
        "atexit.register(lambda: sys.__stdout__.write(out.getvalue()))\nprint(sum(map(int, input().split())))",
        "import sys\nwith sys.stdin as given, sys.stdout as out:\n    print(sum(map(int, next(given).split())), file=out)",
        "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(2**26)\n"
        "def main():\n    print(sum(map(int, input().split())))\nthreading.Thread(target=main).start()",
        "import sys\nsys.setrecursionlimit(10**6)\ndef f(n):\n    return n and f(n - 1)\nf(10**5)\n"
        "print(sum(map(int, input().split())))",
        "from sortedcontainers import SortedList\nprint(sum(SortedList(map(int, input().split()))))",
        "def main():\n    print(sum(map(int, input().split())))\nif __name__ == '__main__':\n    main()",
        "import os\nprint(sum(map(int, input().split())))\nos.write(2, b'a warning')",
        FAST_INPUT,
        "import sys\nprint(sum(map(int, sys.stdin.detach().read().split())))",
        "import sys\nstreams = sys.stdin, sys.stdout, sys.stderr\nassert [one.mode for one in streams] == ['r', 'w', 'w']\n"
        "assert [one.name for one in streams] == ['<stdin>', '<stdout>', '<stderr>']\n"
        "assert sys.stdin.buffer.raw.name == '<stdin>'\nprint(sum(map(int, input().split())))",
    ],
)
def test_the_ways_in_which_people_write_programs_work(judge: Judge, source: str) -> None:
    assert one(judge, source).passed == 4


def test_a_program_meets_nothing_of_the_test_before(judge: Judge) -> None:
    source = (
        "import os\nassert os.listdir('/tmp') == []\nopen('/tmp/seen', 'w').close()\nif not os.fork():\n"
        "    import time\n    time.sleep(60)\nprint(sum(map(int, input().split())))"
    )
    assert one(judge, source).passed == 4


SMALL = replace(ADD, tests=ADD.tests[:2], memory_mb=256)


@pytest.mark.parametrize(
    "source",
    [
        "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(2**29)\n"
        "def f(n):\n    return n and 1 + f(n - 1)\nthread = threading.Thread(target=f, args=(10**5,))\n"
        "thread.start()\nthread.join()",
        "import mmap\nx = mmap.mmap(-1, 2**31, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\nx[2**30] = 1",
        "import os\nx = bytearray(150 * 2**20)\nends = [os.pipe() for _ in range(4)]\nfor _, end in ends:\n"
        "    if not os.fork():\n        import time\n        time.sleep(0.2)\n        os._exit(0)\nfor _ in ends:\n    os.wait()",
        "import mmap, os\nx = mmap.mmap(-1, 100 * 2**20)\nfor _ in range(4):\n    if not os.fork():\n"
        "        for i in range(0, len(x), 4096):\n            x[i] = 1\n        os._exit(0)\n"
        "for _ in range(4):\n    os.wait()\nassert x[4096] == 1",
    ],
    ids=["a large stack", "memory that nobody touches", "memory shared since a fork", "shared memory"],
)
def test_memory_that_nobody_holds_does_not_count_and_what_is_shared_counts_once(judge: Judge, source: str) -> None:
    assert one(judge, source + "\nprint(sum(map(int, input().split())))", SMALL) == Result(passed=2, total=2)


def test_an_array_of_numpy_that_nobody_touches_does_not_count(judge: Judge) -> None:
    if not Path("/usr/lib/python3/dist-packages/numpy").exists():
        pytest.skip("numpy is not installed for /usr/bin/python3")
    source = "import numpy as np\nx = np.zeros((10_000, 10_000))\nx[5] = 1\nprint(sum(map(int, input().split())))"
    assert one(judge, source, SMALL) == Result(passed=2, total=2)


@pytest.mark.parametrize(
    "source",
    [
        "i = 0\nwhile True:\n    open(f'/tmp/{i}', 'w').close()\n    i += 1",
        "import socket, time\nkept = [socket.socketpair() for _ in range(29)]\nwhile True: time.sleep(1)",
        "import mmap, time\nx = mmap.mmap(-1, 40 * 2**20)\nfor i in range(0, len(x), 4096):\n    x[i] = 1\n"
        "x.madvise(mmap.MADV_DONTNEED)\nwhile True: time.sleep(1)",
        "import os, time\nfor _ in range(5):\n    fd = os.open('/dev/shm/x', os.O_CREAT | os.O_RDWR)\n    os.unlink('/dev/shm/x')\n"
        "    os.write(fd, bytes(7 * 10**6))\nwhile True: time.sleep(1)",
    ],
    ids=["files", "sockets", "shared memory that no page table shows", "files without names"],
)
def test_what_the_kernel_keeps_for_a_program_counts(judge: Judge, source: str) -> None:
    assert one(judge, source, replace(ADD, memory_mb=24), partial=False).kind is Kind.MEMORY


def test_memory_held_for_less_than_a_look_counts(judge: Judge) -> None:
    source = "x = b'x' * (300 * 2**20)\ndel x\nprint(sum(map(int, input().split())))"
    assert one(judge, source, SMALL, partial=False).kind is Kind.MEMORY


@pytest.mark.parametrize(
    "source",
    [
        "import asyncio\nasync def f():\n    process = await asyncio.create_subprocess_exec('/bin/true')\n"
        "    assert await process.wait() == 0\nasyncio.run(f())",
        "import multiprocessing as mp\nwith mp.Pool(2) as pool:\n    assert pool.map(abs, [1, -2]) == [1, 2]\n"
        "x = mp.Array('i', 1000)\nqueue = mp.Queue()\nqueue.put(1)\nassert queue.get() == 1",
        "from concurrent.futures import ProcessPoolExecutor\nwith ProcessPoolExecutor(2) as pool:\n"
        "    assert list(pool.map(abs, [1, -2])) == [1, 2]",
        "import subprocess\nassert subprocess.run(['/bin/sh', '-c', 'echo 7 | cat'], capture_output=True).stdout == b'7\\n'",
        "import socket\none, other = socket.socketpair()\none.send(b'x')\nassert other.recv(1) == b'x'\n"
        "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()\nserver = socket.create_server(('127.0.0.1', 0))\n"
        "client = socket.create_connection(server.getsockname())\nclient.send(b'x')\nassert server.accept()[0].recv(1) == b'x'",
        "import os, signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nif not os.fork():\n    os._exit(0)",
    ],
    ids=["asyncio", "multiprocessing", "futures", "subprocess", "sockets", "ignored children"],
)
def test_processes_and_sockets_work_as_usual(judge: Judge, source: str) -> None:
    assert one(judge, source + "\nprint(sum(map(int, input().split())))", SMALL) == Result(passed=2, total=2)


@pytest.mark.parametrize(
    ("seen", "leave"),
    [
        ("os.stat('/tmp').st_mtime == 1", "os.utime('/tmp', (1, 1))"),
        ("os.stat('/dev/shm').st_atime == 1", "os.utime('/dev/shm', (1, os.stat('/dev/shm').st_mtime))"),
        ("os.stat('/tmp').st_mode & 0o777 == 0o711", "os.chmod('/tmp', 0o711)"),
        ("os.stat('/tmp').st_ctime - os.stat('/dev/shm').st_ctime > 0.4", "time.sleep(0.5), os.chmod('/tmp', 0o700)"),
        ("os.listxattr('/tmp')", "os.setxattr('/tmp', 'user.x', b'')"),
        ("os.getpid() > 5", "[threading.Thread(target=int).start() for _ in range(20)]"),
        ("os.getpid() > 5", "[os.fork() or os._exit(0) for _ in range(20)]"),
        (
            "' 7 ' in open('/proc/net/snmp').read()",
            "[socket.socket(2, 2).sendto(b'', ('127.0.0.1', 9)) for _ in range(7)]",
        ),
        (
            "any('nice 19' in open(one).read() for one in glob.glob('/proc/self/autogroup'))",
            "open('/proc/self/autogroup', 'w').write('19')",
        ),
        (
            "resource.getrlimit(resource.RLIMIT_MSGQUEUE)[0] == 7",
            "resource.prlimit(1, resource.RLIMIT_MSGQUEUE, (7, 7))",
        ),
    ],
)
def test_a_program_leaves_no_word_to_the_test_after_it(judge: Judge, seen: str, leave: str) -> None:
    source = (
        f"import glob, os, resource, socket, threading, time\nif {seen}:\n    print('seen')\ntry:\n    {leave}\n"
        "except OSError as error:\n    assert error.errno in (1, 2, 11, 95), error\nprint(sum(map(int, input().split())))"
    )
    assert one(judge, source) == Result(passed=4, total=4)


def test_cpp_is_compiled_and_run(judge: Judge) -> None:
    if not shutil.which("g++"):
        pytest.skip("g++ is not installed")
    source = "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }"
    assert one(judge, source, language="cpp") == Result(passed=4, total=4)
    broken = one(judge, "int main( {", language="cpp")
    assert (broken.kind, broken.passed, broken.total) == (Kind.COMPILE_ERROR, 0, 4)
    assert "error" in broken.reason
    assert one(judge, "int main() { return *(int *)1; }", language="cpp").kind is Kind.CRASH
    endless = "#include <vector>\nint main() { std::vector<int> v; for (;;) v.push_back(1); }"
    assert one(judge, endless, language="cpp", partial=False).kind is Kind.MEMORY


def test_a_task_may_have_its_own_checker(judge: Judge) -> None:
    spec = Spec(tests=[("10\n", "")])

    def divides(stdin: bytes, printed: bytes, expected: bytes, spec: Spec) -> bool:
        return printed.strip().isdigit() and int(stdin) % int(printed) == 0

    [right, wrong] = judge.results([(spec, "python", "print(5)"), (spec, "python", "print(3)")], False, divides)
    assert (right.passed, wrong.passed) == (1, 0)


def test_a_solution_that_is_called_is_judged_by_its_values(judge: Judge) -> None:
    spec = called("    assert candidate(x=[1, 2]) == 3\n    assert candidate([]) == 0\n    assert candidate([5]) == 5")
    assert one(judge, "class Solution:\n    def f(self, x: List[int]) -> int:\n        return sum(x)", spec).passed == 3
    result = one(judge, "class Solution:\n    def f(self, x):\n        return x[0] if len(x) < 2 else 3", spec)
    assert (result.passed, result.first_failed, result.kind) == (2, 2, Kind.CRASH)
    assert "IndexError" in result.reason


def test_linked_lists_of_any_length_and_nested_values_come_back(judge: Judge) -> None:
    test = "    assert is_same_list(candidate(list_node(list(range(50_000)))), list_node(list(range(50_000))))"
    assert one(judge, "class Solution:\n    def f(self, head): return head", called(test)).passed == 1
    test = (
        "    assert candidate(0) == {'a': [(1, 2.5), None, True], 'b': {1, 2}}\n    assert candidate(1) == [[], [[]]]"
    )
    source = "class Solution:\n    def f(self, n):\n        return [[], [[]]] if n else {'a': [(1, 2.5), None, True], 'b': {1, 2}}"
    assert one(judge, source, called(test)).passed == 2


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("import numpy\n@return numpy.int64(7)", "7"),
        ("import numpy\n@return numpy.bool_(True)", "True"),
        ("import numpy\n@return numpy.float32(2.5)", "2.5"),
        ("import numpy\n@return numpy.array([[1, 2], [3, 4]])", "[[1, 2], [3, 4]]"),
        ("import numpy\n@return [numpy.int8(1), (numpy.str_('a'), numpy.float64(0.5))]", "[1, ('a', 0.5)]"),
        ("import numpy\n@return {numpy.int64(1): numpy.int64(2)}", "{1: 2}"),
        ("from fractions import Fraction\n@return Fraction(14, 2)", "7"),
        ("from fractions import Fraction\n@return [Fraction(1, 10)]", "[0.1]"),
        ("from decimal import Decimal\n@return Decimal('7.00')", "7"),
        ("from decimal import Decimal\n@return Decimal('0.1')", "0.1"),
        ("from decimal import Decimal\n@return Decimal(10**20 + 1)", "10**20 + 1"),
        ("@return 10**5000 + 7", "10**5000 + 7"),
        ("@return -10**30", "-10**30"),
        ("from enum import IntEnum\n@return IntEnum('E', {'A': 7}).A", "7"),
        ("from collections import namedtuple\n@return namedtuple('P', 'x y')(1, 2)", "(1, 2)"),
        ("from collections import Counter\n@return Counter('aab')", "{'a': 2, 'b': 1}"),
        ("from sortedcontainers import SortedList\n@return SortedList([2, 1])", "[1, 2]"),
        ("@return {1: 2}.keys()", "{1}"),
        ("@return range(3)", "[0, 1, 2]"),
        ("class Text(str):\n    pass\n@return Text('x')", "'x'"),
        ("@return float('inf')", "float('inf')"),
    ],
)
def test_values_of_any_type_compare_by_value(judge: Judge, body: str, expected: str) -> None:
    before, _, result = body.partition("@")
    source = f"{before}class Solution:\n    def f(self, x):\n        {result}"
    assert one(judge, source, called(f"    assert candidate(0) == {expected}")) == Result(passed=1, total=1)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("from decimal import Decimal\n@return Decimal(10**20 + 1)", "10**20"),
        ("from fractions import Fraction\n@return Fraction(10**20 + 1)", "1e20"),
        ("import numpy\n@return numpy.float32(0.1)", "0.1"),
        ("@return float('nan')", "float('nan')"),
        ("@return map(int, '12')", "[1, 2]"),
        ("class Always(numpy.int64):\n    def __eq__(self, other): return True\n@return Always(8)", "7"),
        (
            "class Always:\n    def tolist(self): return Always()\n    def __eq__(self, other): return True\n@return Always()",
            "7",
        ),
    ],
)
def test_other_values_stay_different(judge: Judge, body: str, expected: str) -> None:
    before, _, result = body.partition("@")
    source = f"import numpy\n{before}class Solution:\n    def f(self, x):\n        {result}"
    assert one(judge, source, called(f"    assert candidate(0) == {expected}")).passed == 0


def test_a_problem_without_tests_makes_no_program_wrong(judge: Judge) -> None:
    assert one(judge, RIGHT, Spec()) == Result(kind=Kind.NO_TESTS, reason="it has no tests")


@pytest.mark.parametrize(
    "body",
    [
        "import os\nos._exit(0)",
        "raise SystemExit(0)",
        "class Always:\n    def __eq__(self, other): return True\nclass Solution:\n    def f(self, x): return Always()",
        "class Always(int):\n    def __eq__(self, other): return True\nclass Solution:\n    def f(self, x): return Always(8)",
        "import builtins\nbuiltins.AssertionError = None\nclass Solution:\n    def f(self, x): return 8",
        "import os\nfor fd in range(1, 30):\n    try:\n        os.write(fd, b'1\\n' * 9)\n    except OSError: pass\nos._exit(0)",
        "class Solution:\n    def f(self, x):\n        print('1')\n        return '7'",
        "class Solution:\n    def f(self, x):\n        import sys\n        g = sys._getframe(1).f_globals\n        return 7 if 'CHECKS' in g else 8",
        "class Solution:\n    def f(self, x): return (y for y in [7])",
        "class Solution:\n    def f(self, x):\n        y = []\n        y.append(y)\n        return y",
        "class Solution:\n    def f(self, x):\n        while True: pass",
        'import json\njson.dumps = lambda *_: \'{"roots": [true], "table": []}\'\nclass Solution:\n    def f(self, x): return 8',
        "def list_node(*_): return 7\nclass Solution:\n    def f(self, x): return 10**5000",
    ],
)
def test_a_solution_that_is_called_cannot_talk_itself_right(judge: Judge, body: str) -> None:
    spec = called("    assert candidate(3) == 7\n    assert candidate(4) == 7", seconds=0.5)
    assert one(judge, body, spec, partial=False).passed == 0


def test_values_that_take_too_long_to_compare_are_not_right_and_keep_nobody(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "REFEREE_SECONDS", 0.3)
    keys = "b','.join(b'[%d,1]' % (i * (2**61 - 1)) for i in range(1, 200_000))"  # all with the same hash
    source = (
        f'import os\ntext = b\'{{"roots": [[0]], "table": [["dict", [\' + {keys} + b\']]]}}\'\n'
        "for fd in range(1, 30):\n    try:\n        os.write(fd, text)\n    except OSError:\n        pass\nos._exit(0)"
    )
    result = one(judge, source, called("    assert candidate(3) == 7"))
    assert (result.passed, result.kind, result.reason) == (0, Kind.WRONG_ANSWER, calls.INCOMPARABLE)


def test_a_call_that_ends_the_process_does_not_take_the_others_with_it(judge: Judge) -> None:
    spec = called("    assert candidate(1) == 1\n    assert candidate(2) == 2\n    assert candidate(3) == 3")
    source = "import os\nclass Solution:\n    def f(self, x):\n        if x == 2: os._exit(0)\n        return x"
    result = one(judge, source, spec)
    assert (result.passed, result.total, result.first_failed) == (2, 3, 2)


def test_verdicts_are_the_same_in_any_number_of_threads_and_in_order() -> None:
    sources = [
        f"a, b = map(int, input().split())\nprint(a + b if a < {limit} else 'no')" for limit in (0, 1, 2, 3, 9) * 8
    ]
    found = []
    for workers in (1, 4):
        with Judge(workers=workers) as judge:
            found.append(list(judge.results([(ADD, "python", source) for source in sources], True)))
    assert found[0] == found[1]
    assert [result.passed for result in found[0][:5]] == [0, 1, 2, 3, 4]


def test_samples_without_a_program_get_a_verdict_in_their_place(judge: Judge) -> None:
    thinking = f"<think>\n```python\n{RIGHT}\n```"
    texts = ["no program", f"```python\n{RIGHT}\n```", "", f"```\n{RIGHT}\n```", "```python\nprint(3)\n```", thinking]
    jobs = [(ADD, "python", Sample("p", index, [], [], text, "stop")) for index, text in enumerate(texts)]
    found = list(verdicts(judge, jobs, True))  # type: ignore[arg-type]  # a list literal's "python" is a str
    assert [one.index for one in found] == list(range(6))
    assert [one.status for one in found] == [
        Status.NO_ANSWER, Status.CORRECT, Status.NO_ANSWER, Status.PARTIAL, Status.PARTIAL, Status.NO_ANSWER
    ]  # fmt: skip
    assert (found[3].strict, found[3].lenient, found[3].rule) == (Status.NO_ANSWER, Status.CORRECT, "unlabelled_fence")
    assert (found[0].rule, found[5].rule) == ("", UNFINISHED)
    assert (found[4].passed, found[4].total, found[4].kind, found[4].first_failed) == (1, 4, "wrong answer", 2)


BURN = "import os, threading, time\ndef burn():\n    while time.process_time() < 0.8: pass\n"
ADDED = "\nprint(sum(map(int, input().split())))"


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many other programs that use all the cores they get; some kernels give each session the same share."""
    command = ["/bin/sh", "-c", "while :; do :; done"]
    noise = [subprocess.Popen(command, start_new_session=True) for _ in range(processes)]
    try:
        yield
    finally:
        for process in noise:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_a_busy_machine_does_not_make_a_right_solution_late() -> None:
    """With ten times its time limit of waiting for a core: alone, below a thread that waits, and below a process."""
    sources = [
        BURN + "burn()" + ADDED,
        BURN + "thread = threading.Thread(target=burn)\nthread.start()\nthread.join()" + ADDED,
        BURN + "if not os.fork():\n    burn()\n    os._exit(0)\nos.wait()" + ADDED,
    ]
    spec = Spec(tests=ADD.tests[:1], seconds=1.0)
    with Judge(workers=3) as judge, busy(8 * len(os.sched_getaffinity(0))):
        results = list(judge.results([(spec, "python", source) for source in sources], True))
    assert [(one.passed, one.kind) for one in results] == [(1, Kind.NONE)] * 3


@pytest.mark.slow
def test_a_busy_machine_does_not_save_what_never_ends() -> None:
    spec = Spec(tests=ADD.tests[:1], seconds=0.3)
    sources = ["while True: pass", "import time\ntime.sleep(10**6)"]
    with Judge(workers=2) as judge, busy(2 * len(os.sched_getaffinity(0))):
        results = list(judge.results([(spec, "python", source) for source in sources], True))
    assert [one.kind for one in results] == [Kind.TIME] * 2


@pytest.mark.slow
def test_where_other_programs_take_all_the_cores_nothing_is_said_of_a_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "WALL", 0.5)  # a run is given up after 2.5 s
    monkeypatch.setattr(runner, "WALL_MORE", 0.2)
    source = "import time\nwhile time.process_time() < 0.095: pass" + ADDED
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        with Judge(workers=1) as judge, busy(40):
            result = one(judge, source, Spec(tests=ADD.tests[:1], seconds=0.1))
    finally:
        os.sched_setaffinity(0, cores)
    assert (result.kind, result.passed) == (Kind.JUDGE_ERROR, 0)
    assert "other programs kept the machine busy" in result.reason


def test_without_bubblewrap_nothing_is_run_and_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match="apt-get install bubblewrap"), Judge():
        pass


@pytest.fixture
def fake_bwrap(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A bwrap that fails as on a machine without namespaces; in a folder that any user may look into."""
    with tempfile.TemporaryDirectory() as name:
        fake = Path(name) / "bwrap"
        fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
        for path in (fake.parent, fake):
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{name}:/usr/bin:/bin")
        yield fake


def test_a_sandbox_that_cannot_start_is_said_to_and_nothing_is_run(fake_bwrap: Path) -> None:
    started = time.monotonic()
    with pytest.raises(SandboxError, match="No permissions") as caught, Judge():
        pass
    assert "unprivileged user namespaces" in caught.value.hint
    assert time.monotonic() - started < 10


def test_a_bubblewrap_that_may_not_be_executed_is_said(fake_bwrap: Path) -> None:
    fake_bwrap.parent.chmod(0o700)
    fake_bwrap.write_text("#!/nowhere\n")
    with pytest.raises(SandboxError, match="does not start"), Judge():
        pass


def test_an_interpreter_that_the_sandbox_does_not_see_is_refused(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text("")
    with pytest.raises(SandboxError, match="outside /usr"):
        Sandbox(python=str(python))
    with pytest.raises(SandboxError, match="there is no Python"):
        Sandbox(python="/usr/bin/python9")


def test_trusted_programs_run_without_a_sandbox_where_that_is_asked_for() -> None:
    def kinds() -> list[Kind]:
        with Judge(kind="none", workers=1) as judge:
            results = judge.results([(ADD, "python", RIGHT), (ADD, "python", "while True: pass")], False)
            return [one.kind for one in results]

    found = next((found for found in (kinds() for _ in range(10)) if Kind.JUDGE_ERROR not in found), None)
    assert found == [Kind.NONE, Kind.TIME]  # a machine too busy to tell says so, and is asked again
