# ruff: noqa: E501
"""Hostile and cheating solutions of a problem whose input is `3 4` and whose right answer is 7.

Each with what may come of it; nobody may ever pass. Every one must end by itself or be ended, leave no process and no
file, and let the judge go on.
"""

from tpt.judges.code.spec import Kind

WRONG, CRASH, TIME = Kind.WRONG_ANSWER, Kind.CRASH, Kind.TIME
MEMORY, OUTPUT = Kind.MEMORY, Kind.OUTPUT

LIBC = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"

# Children in turn, 0.1 s of CPU each; then the right answer.
IN_TURN = (
    "import time\nfor _ in range(8):\n    child = os.fork()\n    if not child:\n"
    "        while time.process_time() < 0.1:\n            pass\n        os._exit(0)\n"
    "    try:\n        os.waitpid(child, 0)\n    except ChildProcessError:\n        pass\nprint(7)"
)

# The system call that sets what SIGCHLD does, to no zombies (SA_NOCLDWAIT).
SIGACTION = (
    LIBC + "action = (ctypes.c_long * 4)(0, 2)\n"
    "def act(at):\n    number = 13 if os.uname().machine == 'x86_64' else 134\n"
    "    assert libc.syscall(number, 17, at, None, 8) == 0\n"
)

ZOO: dict[str, tuple[str, set[Kind]]] = {
    "fork bomb": ("import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass", {TIME, MEMORY}),
    "fork bomb in a shell": ("import os\nos.system('f(){ f|f& };f')\nprint(8)", {WRONG, TIME, CRASH}),
    "memory in one piece": ("x = bytearray(10**11)", {MEMORY}),
    "memory bit by bit": ("x = []\nwhile True:\n    x.append(bytearray(10**6))", {MEMORY}),
    "memory in many processes": (
        "import os, time\nfor _ in range(30):\n    if not os.fork():\n        x = bytearray(200 * 2**20)\n"
        "        time.sleep(60)\ntime.sleep(60)",
        {MEMORY},
    ),
    "memory in anonymous files": (
        "import os\nfds = [os.memfd_create(str(i)) for i in range(50)]\n"
        "while True:\n    for fd in fds:\n        os.write(fd, b'x' * 10**6)",
        {CRASH},
    ),
    "shared memory in many processes": (
        "import mmap, os, time\nfor _ in range(10):\n    if not os.fork():\n        x = mmap.mmap(-1, 150 * 2**20)\n"
        "        for i in range(0, len(x), 4096):\n            x[i] = 1\n        time.sleep(60)\ntime.sleep(0.2)\nprint(7)",
        {WRONG, MEMORY},
    ),
    "shared memory that its writer unmaps": (
        "import mmap, os, time\nwhile True:\n    x = mmap.mmap(-1, 50 * 2**20)\n    if not os.fork():\n        time.sleep(60)\n"
        "    for i in range(0, len(x), 4096):\n        x[i] = 1\n    x.close()",
        {CRASH, MEMORY},
    ),
    "shared memory of a device": (
        "import mmap, os\nx = mmap.mmap(os.open('/dev/zero', os.O_RDWR), 10**6)\nx[0] = 1\nprint(7)", {CRASH}
    ),
    "huge pages": ("import mmap\nmmap.mmap(-1, 2**21, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)\nprint(7)", {CRASH, MEMORY}),
    "memory of processes that cannot be looked at": (
        LIBC + "import time\nlibc.prctl(4, 0, 0, 0, 0)\nfor _ in range(10):\n    if not os.fork():\n"
        "        x = bytearray(60 * 2**20)\n        time.sleep(60)\ntime.sleep(60)",
        {MEMORY},
    ),
    "memory of processes whose first thread has ended": (
        LIBC + "import threading, time\ndef hold():\n    x = bytearray(100 * 2**20)\n    os.write(up, b'1')\n    time.sleep(60)\n"
        "down, up = os.pipe()\nfor _ in range(4):\n    if not os.fork():\n        threading.Thread(target=hold).start()\n"
        "        libc.syscall(60 if os.uname().machine == 'x86_64' else 93, 0)\nfor _ in range(4):\n    os.read(down, 1)\n"
        "time.sleep(0.5)\nprint(7)",
        {MEMORY},
    ),
    "memory in files without a name": (
        "import os, time\nfds = []\nfor i in range(20):\n    fds.append(os.open(('/tmp', '/dev/shm')[i % 2], os.O_TMPFILE | os.O_RDWR))\n"
        "    os.write(fds[-1], bytes(14 * 2**20))\ntime.sleep(0.3)\nprint(7)",
        {MEMORY, TIME},
    ),
    "memory in files that are mapped": (
        "import mmap, os, time\nkept = []\nfor i in range(20):\n    fd = os.open(('/tmp', '/dev/shm')[i % 2] + f'/{i}', os.O_RDWR | os.O_CREAT)\n"
        "    os.ftruncate(fd, 14 * 2**20)\n    kept.append(mmap.mmap(fd, 14 * 2**20))\n    kept[-1].write(bytes(14 * 2**20))\n"
        "time.sleep(0.3)\nprint(7)",
        {MEMORY, TIME},
    ),
    "memory that it says it needs no more": (
        "import mmap, time\nx = mmap.mmap(-1, 300 * 2**20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
        "for i in range(0, len(x), 4096):\n    x[i] = 1\nx.madvise(mmap.MADV_FREE)\ntime.sleep(0.3)\nprint(7)",
        {MEMORY, TIME},
    ),
    "memory that a pipe keeps": (LIBC + "print(libc.vmsplice(os.pipe()[1], 0, 0, 0), ctypes.get_errno())", {WRONG}),
    "tables of pages that are never written": (
        "import mmap, os, time\nfor _ in range(60):\n    if not os.fork():\n"
        "        x = mmap.mmap(-1, 4 * 2**30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
        "        sum(x[i] for i in range(0, len(x), 2**21))\n        time.sleep(60)\ntime.sleep(60)",
        {MEMORY, TIME},
    ),
    "files without content": ("i = 0\nwhile True:\n    open(f'/dev/shm/{i}', 'w').close()\n    i += 1", {MEMORY, TIME}),
    "attributes of files": (
        "import os\ni = 0\nwhile True:\n    open(f'/tmp/{i}', 'w').close()\n    os.setxattr(f'/tmp/{i}', 'user.x', bytes(60_000))\n"
        "    i += 1",
        {MEMORY, TIME, CRASH},
    ),
    "buffers of sockets": (
        "import os, socket, time\nkept = []\nfor _ in range(40):\n    if not os.fork():\n        try:\n            while True:\n"
        "                kept += socket.socketpair()\n                kept[-1].setblocking(False)\n"
        "                kept[-1].send(bytes(150_000))\n        except OSError:\n            time.sleep(60)\ntime.sleep(60)",
        {MEMORY, TIME},
    ),
    "larger buffers of sockets": (
        "import socket\nsocket.socketpair()[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10**7)\nprint(7)", {CRASH}
    ),
    "CPU time of ignored children": ("import os, signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n" + IN_TURN, {TIME}),
    "CPU time of children that nobody waits for": (SIGACTION + "act(ctypes.byref(action))\n" + IN_TURN, {TIME}),
    "CPU time hidden by an action at a round address": (
        SIGACTION + "libc.mmap.restype = ctypes.c_void_p\n"
        "at = libc.mmap(ctypes.c_void_p(0x7E0000000000), 4096, 3, 0x32, -1, 0)\nassert at == 0x7E0000000000\n"
        "ctypes.memmove(at, action, 32)\nact(ctypes.c_void_p(at))\n" + IN_TURN,
        {TIME},
    ),
    "CPU time of children that tell nobody of their end": (
        LIBC + "import time\nclone, wait = (56, 61) if os.uname().machine == 'x86_64' else (220, 260)\nfor _ in range(8):\n"
        "    child = libc.syscall(clone, 0, 0, 0, 0, 0)\n    if not child:\n        while time.process_time() < 0.1:\n"
        "            pass\n        os._exit(0)\n    libc.syscall(wait, child, 0, 0x40000000, 0)\nprint(7)",
        {TIME},
    ),
    "memory in shared segments": (LIBC + "print(libc.shmget(0, 1 << 30, 0o1600))", {WRONG}),
    "a string of 10**12": ("print('x' * 10**12)", {MEMORY}),
    "a zip bomb": (
        "import zlib\nx = zlib.compress(bytes(10**7))\ny = b''\nfor _ in range(10**4):\n    y += zlib.decompress(x)",
        {MEMORY, TIME},
    ),
    "a number without end": ("x = 9\nwhile True:\n    x = x * x\nprint(x)", {TIME, MEMORY}),
    "a deeply nested source": ("x = " + "(" * 100_000 + "1" + ")" * 100_000, {CRASH, MEMORY}),
    "a constant that explodes": ("x = ((((((((9**99)**99)**99)**99)**99)**99)**99)**99)", {TIME, MEMORY}),
    "a disk filler": (
        "i = 0\nwhile True:\n    open(f'/tmp/{i}', 'wb').write(bytes(10**6))\n    i += 1", {CRASH, OUTPUT, MEMORY}
    ),
    "one huge file": ("f = open('/tmp/x', 'wb')\nwhile True:\n    f.write(bytes(10**6))", {OUTPUT, CRASH}),
    "a filler of shared memory": (
        "i = 0\nwhile True:\n    open(f'/dev/shm/{i}', 'wb').write(bytes(10**6))\n    i += 1", {CRASH, OUTPUT, MEMORY}
    ),
    "many small files": ("for i in range(20_000):\n    open(f'/tmp/{i}', 'w')\nprint(8)", {WRONG, TIME}),
    "a tree of folders": (
        "import os\nfor _ in range(500):\n    os.mkdir('d' * 100)\n    os.chdir('d' * 100)\n"
        "os.chmod('/tmp', 0)\nprint(8)",
        {WRONG},
    ),
    "endless output": ("while True:\n    print('x' * 10**5)", {OUTPUT, CRASH}),
    "endless errors": ("import sys\nwhile True:\n    sys.stderr.write('x' * 10**5)", {CRASH, OUTPUT}),
    "a hole in the output": ("import os\nos.lseek(1, 2**40, 0)\nos.write(1, b'7')", {CRASH, OUTPUT}),
    "sleep": ("import time\ntime.sleep(10**6)", {TIME}),
    "a busy loop": ("while True:\n    pass", {TIME}),
    "a regular expression": ("import re\nre.match('(a+)+$', 'a' * 60 + 'b')", {TIME}),
    "threads that never end": (
        "import threading, time\nfor _ in range(20):\n    threading.Thread(target=time.sleep, args=(10**6,)).start()\n"
        "print(7)",
        {TIME},
    ),
    "threads without number": (
        "import threading, time\nwhile True:\n    threading.Thread(target=time.sleep, args=(10**6,)).start()", {CRASH, TIME}
    ),
    "an exit that never comes": ("import atexit, time\natexit.register(time.sleep, 10**6)\nprint(7)", {TIME}),
    "it waits for one that it stopped": (
        "import os, signal\nchild = os.fork()\nif not child:\n    signal.pause()\nos.kill(child, signal.SIGSTOP)\n"
        "os.waitpid(child, 0)\nprint(7)",
        {TIME},
    ),
    "it stops itself": ("import os, signal\nprint(7, flush=True)\nos.kill(os.getpid(), signal.SIGSTOP)", {TIME}),
    "it ignores signals": (
        "import signal\nfor n in range(1, 65):\n    try:\n        signal.signal(n, signal.SIG_IGN)\n"
        "    except (OSError, ValueError):\n        pass\nwhile True:\n    pass",
        {TIME},
    ),
    "it becomes another program": ("import os\nos.execv('/bin/sleep', ['sleep', '100000'])", {TIME}),
    "a daemon": (
        "import os, time\nif not os.fork():\n    os.setsid()\n    if not os.fork():\n"
        "        for n in range(1, 65):\n            pass\n        time.sleep(100000)\nprint(8)",
        {WRONG},
    ),
    "deep recursion": (
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(n):\n    return f(n + 1) + 1\nf(0)", {CRASH, MEMORY, TIME}
    ),
    "it overflows the stack": (LIBC + "class A:\n    pass\nx = []\nfor _ in range(10**7):\n    x = [x]\nprint(repr(x))", {CRASH, MEMORY, TIME}),
    "a call to nowhere": ("import ctypes\nctypes.string_at(1)", {CRASH}),
    "abort": ("import os\nos.abort()", {CRASH}),
    "it ends at once": ("import os\nos._exit(0)", {WRONG}),
    "it ends politely": ("raise SystemExit(0)", {WRONG}),
    "tokens without number": ("print('7 ' * (8 * 10**6 - 10))", {WRONG}),
    "almost a number": ("print('7' * 10**6 + 'x')", {WRONG}),
    "PASSED": ("print('PASSED')\nprint('ok 1 of 1 tests passed')", {WRONG}),
    "terminal tricks": ("print('8\\r7\\x1b[2K7\\x00')", {WRONG}),
    "it prints all answers": ("print(*range(1000))", {WRONG}),
    "it takes its output back": ("import os\nprint(7, flush=True)\nos.ftruncate(1, 0)", {WRONG}),
    "it closes its output": ("import os\nos.close(1)\nos._exit(0)", {WRONG}),
    "it patches builtins": (
        "import builtins\nbuiltins.str.__eq__ = lambda *_: True", {CRASH}
    ),
    "it patches comparison": (
        "import builtins\nclass Yes(str):\n    __eq__ = lambda *_: True\n    __hash__ = str.__hash__\n"
        "builtins.print(Yes('8'))",
        {WRONG},
    ),
    "it kills its parent": ("import os\nos.kill(os.getppid(), 9)\nprint(8)", {WRONG}),
    "it kills everybody": ("import os\nos.kill(-1, 9)\nprint(8)", {WRONG, CRASH}),
    "it starves its parent": (
        "import resource\nfor n in range(16):\n    try:\n        resource.prlimit(1, n, (0, 0))\n"
        "    except (OSError, ValueError):\n        pass\nprint(8)",
        {WRONG, CRASH},
    ),
    "it reads its parent's memory": ("print(open('/proc/1/mem', 'rb').read(1))", {CRASH}),
    "it takes its parent's files": ("import os\nprint(os.listdir('/proc/1/fd'))", {CRASH}),
    "it traces its parent": (LIBC + "print(libc.ptrace(16, 1, 0, 0))", {WRONG}),
    "it reads a secret": ("print(open('/etc/passwd').read())", {CRASH}),
    "it looks for the tests": (
        "import os\nfor root, _, names in os.walk('/judge'):\n    for name in names:\n"
        "        text = open(os.path.join(root, name), 'rb').read()\n        if b'3 4' in text:\n            print(7)\n"
        "print(open('/proc/1/cmdline').read(), dict(os.environ))",
        {WRONG},
    ),
    "it writes to the system": ("open('/usr/lib/python3/dist-packages/evil.py', 'w')", {CRASH}),
    "it changes the judge": ("open('/judge/inside.pyc', 'wb').write(b'')", {CRASH}),
    "it changes its input": ("import os\nos.write(0, b'x')", {CRASH}),
    "it calls home": ("import socket\nsocket.create_connection(('1.1.1.1', 80), timeout=1)", {CRASH}),
    "it talks to the host": ("import socket\nsocket.socket(40, socket.SOCK_STREAM)\nprint(7)", {CRASH}),
    "sockets of every other family": (
        "import socket\nfor family in set(range(64)) - {1, 2, 10}:\n    for kind in (1, 2, 3, 5, 2**32 + 1):\n"
        "        for make in (socket.socket, socket.socketpair):\n            try:\n                make(family, kind).close()\n"
        "                print(7)\n                raise SystemExit\n            except (OSError, OverflowError):\n                pass\nprint(8)",
        {WRONG},
    ),
    "another protocol": ("import socket\nsocket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)\nprint(7)", {CRASH}),
    "it resolves a name": ("import socket\nsocket.getaddrinfo('example.org', 80)", {CRASH}),
    "it talks to this machine": ("import socket\nsocket.create_connection(('127.0.0.1', 22), timeout=1)", {CRASH}),
    "it becomes root": ("import os\nos.setuid(0)", {CRASH}),
    "its parent gets other limits": ("import resource\nresource.prlimit(1, resource.RLIMIT_NOFILE, (8, 8))\nprint(7)", {CRASH}),
    "it begins in a namespace": (
        LIBC + "print(libc.syscall(56 if os.uname().machine == 'x86_64' else 220, 0x10000011, 0, 0, 0, 0))", {WRONG}
    ),
    "it makes a namespace": (LIBC + "print(libc.unshare(0x10000000))", {WRONG}),
    "it mounts": (LIBC + "print(libc.mount(b'none', b'/tmp', b'tmpfs', 0, None))", {WRONG}),
    "it slows the next one down": ("import os\nos.setpriority(os.PRIO_PROCESS, 1, 19)", {CRASH}),
}  # fmt: skip

# What a call may write where its values are read from, in their place.
INSTEAD = (
    "import os\ndef write(text):\n    for fd in range(1, 30):\n        try:\n            os.write(fd, text)\n"
    "        except OSError:\n            pass\n    os._exit(0)\n"
)


def _called(body: str, before: str = "") -> str:
    return f"{before}class Solution:\n    def f(self, x):\n        {body}"


# Solutions that are called, where 7 is right.
CALLED: dict[str, tuple[str, set[Kind]]] = {
    "an integer of three million digits": (_called("return 1 << 10**7"), {WRONG}),
    "digits written by itself": (
        _called("""write(b'{"roots": [' + b'1' * 3_000_000 + b'], "table": []}')""", INSTEAD), {WRONG}
    ),
    "a float of three million digits": (
        _called("""write(b'{"roots": [' + b'1' * 3_000_000 + b'.5e9], "table": []}')""", INSTEAD), {WRONG}
    ),
    "an integer of fifty million bits": (
        _called("""write(b'{"roots": [[0]], "table": [["int", "' + b'f' * 12_000_000 + b'"]]}')""", INSTEAD), {WRONG}
    ),
    "brackets without end": (_called("write(b'[' * 10**7)", INSTEAD), {WRONG}),
    "an error of digits": (_called("""write(b'{"error": ' + b'1' * 3_000_000 + b'}')""", INSTEAD), {WRONG}),
    "an error without end": (_called("raise ValueError('x' * 10**7)"), {CRASH}),
    "a class that is equal to all": (
        _called("""write(b'{"roots": [[0]], "table": [["Equal", []]]}')""", INSTEAD), {WRONG}
    ),
    "a decimal without end": (_called("return Decimal('1e999999999')", "from decimal import Decimal\n"), {MEMORY, TIME, CRASH}),
    "an array of itself": (_called("return self\n    def tolist(self):\n        return self"), {CRASH, MEMORY, TIME}),
    "a value that holds itself": (_called("x = [7]\n        x.append(x)\n        return x"), {WRONG}),
    "a value of many depths": (_called("for _ in range(10**4):\n            x = [x]\n        return x"), {WRONG}),
    "a number that is equal to all": (
        _called("return Any()", "from numbers import Number\nclass Any(Number):\n    __hash__ = None\n"
        "    __int__ = lambda self: 8\n    __eq__ = lambda *_: True\n"), {WRONG}
    ),
    "more lines than calls": (
        _called("""write(b'{"roots": [8], "table": []}\\n' + b'{"roots": [7], "table": []}\\n' * 9)""", INSTEAD), {WRONG}
    ),
    "a list without end": (_called("return range(10**15)"), {MEMORY, TIME}),
}  # fmt: skip
