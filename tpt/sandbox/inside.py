"""The first process inside a sandbox: runs a program once for each request and reports how it ended.

A new one is started for every sample, by the sandbox's own Python. It therefore imports only built-in modules, not even
`os`: every import costs time for each sample. A run is a fork of it. It is process 1 of the sandbox, which no process
inside can kill, and it kills whatever a run leaves behind. It never knows what a program should print; that is compared
outside.

The channel is its standard input, a packet socket: REQUEST with four file descriptors (program, stdin, stdout, stderr)
in, REPLY out. This file imports nothing of tpt, because it is alone in the sandbox.
"""

import _signal  # type: ignore[import-not-found]  # the stub is of `signal`, which is slow to import
import _sitebuiltins
import _socket
import _struct
import builtins
import gc
import io
import posix
import resource
import select
import sys
import time

# kind, cpu ms, wall ms, memory bytes, file bytes, processes; then words, each terminated by a zero byte
REQUEST = _struct.Struct("<6Q")
# wait status, cpu us, wall us, us without a core, peak KiB, why it was stopped, whether it left traces
REPLY = _struct.Struct("<7Q")
PYTHON, EXECUTE = 0, 1  # kinds: Python source, run in a fork; a file to execute, or a command if words are given
ENDED, WALL, MEMORY, CPU = 0, 1, 2, 3  # why it was stopped

CHANNEL = PROGRAM = 3
TICK = 0.05  # seconds between measurements of a run's memory and time
PATIENCE = 10  # wait for a run without a core up to this many times its wall limit
PRIVATE = ("/tmp", "/dev/shm")  # the folders that a program can write to
ROOM = 4 * 2**30  # bytes of address space beyond the memory limit: thread stacks, untouched arrays
SHARED = 32 * 2**20  # bytes that a shared mapping counts for at least: more of it may exist than is still mapped
INODE = 2048  # the most kernel memory in bytes that a file takes in addition to its content
CLOCK = posix.sysconf("SC_CLK_TCK")


def main(jailed: bool) -> None:
    """Serve requests until the other end closes.

    Args:
        jailed: whether this is process 1 of a sandbox; else only the process group holds a run together.
    """
    channel = _socket.socket(fileno=posix.dup2(0, CHANNEL))
    kernel = _Kernel(channel) if jailed else None
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    _let_look(0)
    compile("pass", "", "exec")  # what the compiler sets up on first use need not be set up again in each run
    gc.freeze()  # so that garbage collection in a run does not write to memory shared with this process
    channel.send(b"ready")
    while True:
        packet, ancillary, _, _ = channel.recvmsg(65536, _socket.CMSG_SPACE(16))
        if not packet:
            return
        fds = _struct.unpack("4i", ancillary[0][2])
        kind, cpu, wall, memory, size, processes = REQUEST.unpack_from(packet)
        words = [word.decode() for word in packet[REQUEST.size :].split(b"\0")[:-1]]
        if kind == PYTHON:
            _preload(words)
        started = time.monotonic()
        begun, beginning = posix.pipe()
        child = posix.fork()
        if not child:
            try:
                _let_look(1)  # so that we can measure its memory
                _become(fds, cpu, memory, size, processes if jailed else 0, jailed)
                if kind == PYTHON:
                    _run_python()
                else:
                    _execute(words)
            finally:
                posix._exit(127)
        for fd in (*fds, beginning):
            posix.close(fd)
        posix.read(begun, 1)  # wait until the run has closed its end
        posix.close(begun)
        channel.send(REPLY.pack(*_watch(child, started, cpu / 1000, wall / 1000, memory, kernel)))


def _preload(modules: list[str]) -> None:
    """Import the library modules that the program mentions, once for all of its runs."""
    for name in modules:
        try:  # noqa: SIM105  # contextlib is one more import
            __import__(name)
        except ImportError:
            pass  # the program will report that itself


def _let_look(allowed: int) -> None:
    """Set whether processes of the same user may read or write our memory and files (PR_SET_DUMPABLE)."""
    import _ctypes

    library = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # None is the program itself
    _ctypes.call_function(_ctypes.dlsym(library, "prctl"), (4, allowed, 0, 0, 0))


def _become(fds: tuple[int, ...], cpu: int, memory: int, size: int, processes: int, jailed: bool) -> None:
    """Turn the fork into a run: with its own files and limits, and nothing of the parent's."""
    if not jailed:
        posix.setsid()
    for target, fd in enumerate(fds[1:]):
        posix.dup2(fd, target)
    posix.dup2(fds[0], PROGRAM)  # replaces the channel
    posix.closerange(PROGRAM + 1, 1024)
    limits = [
        (
            resource.RLIMIT_CPU,
            cpu // 1000 + 2,
        ),  # a second line of defence: in whole seconds, for each process separately
        (resource.RLIMIT_AS, memory + ROOM),
        (resource.RLIMIT_FSIZE, size),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ]
    if processes:
        limits.append((resource.RLIMIT_NPROC, processes))
    for which, value in limits:
        resource.setrlimit(which, (value, value))
    for number in (_signal.SIGINT, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)


def _run_python() -> None:
    """Run Python source as the main module, as the interpreter would, and end."""
    with open(PROGRAM, "rb") as file:
        source = file.read()
    main = type(sys)("__main__")
    main.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = main
    sys.argv = ["solution.py"]
    builtins.exit = builtins.quit = _sitebuiltins.Quitter("exit", "Ctrl-D")  # as `site` does
    sys.stdin = _stream(0, "<stdin>", "r", "surrogateescape")
    sys.stdout = _stream(1, "<stdout>", "w", "surrogateescape")
    sys.stderr = _stream(2, "<stderr>", "w", "backslashreplace")
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]  # final only for mypy
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)  # contests were held, and solutions labelled, before Python had a limit
    if "random" in sys.modules:
        sys.modules["random"].seed(0)
    code = 0
    try:
        exec(compile(source, "solution.py", "exec"), main.__dict__)
    except SystemExit as end:
        code = _exit_code(end.code)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    _finish(code)


def _stream(fd: int, name: str, mode: str, errors: str) -> io.TextIOWrapper:
    """A standard stream with the attributes that the interpreter gives it, which contestants' templates read."""
    buffer = open(fd, mode + "b", closefd=False)  # noqa: SIM115  # stays open until the end
    buffer.raw.name = name  # type: ignore[attr-defined]  # as any buffered file
    stream = io.TextIOWrapper(buffer, "utf-8", errors, line_buffering=fd == 2)
    stream.mode = mode  # type: ignore[misc]  # read-only only for mypy
    return stream


def _exit_code(code: object) -> int:
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    print(code, file=sys.stderr)
    return 1


def _finish(code: int) -> None:
    """What the interpreter does on exit, except for tearing itself down."""
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        if "atexit" in sys.modules:
            sys.modules["atexit"]._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            if stream is not None and not stream.closed:
                stream.flush()
    except BaseException:
        code = code or 120
    posix._exit(code)


def _execute(words: list[str]) -> None:
    """Execute a command, or, if there is none, the program's own file."""
    posix.set_inheritable(PROGRAM, False)
    if words:
        posix.execve(words[0], words, posix.environ)
    posix.execve(PROGRAM, ["solution"], posix.environ)


def _watch(
    child: int, started: float, cpu: float, wall: float, memory: int, kernel: "_Kernel | None"
) -> tuple[int, ...]:
    """Wait for a run, stop it at its limits, and leave none of its processes behind.

    The wall limit covers only time in which the run could continue: while it is ready but no core is free, only its CPU
    time counts.
    """
    jailed = kernel is not None
    pidfd = posix.pidfd_open(child)
    end = select.poll()
    end.register(pidfd, select.POLLIN)
    tree = _Tree(child, jailed)
    stopped, looked, before, starved = ENDED, started, 0.0, 0.0
    while not end.poll(1000 * max(0.001, min(TICK, started + starved + wall - time.monotonic()))):
        used, ready = tree.look()
        now = time.monotonic()
        if ready:  # CPU time is in whole clock ticks: one too many makes up for one that was missing before
            starved = max(0.0, starved + now - looked - min(used - before, now - looked + 1 / CLOCK))
        looked, before = now, used
        if used > cpu:
            stopped = CPU
        elif tree.holds_more(memory - (kernel.memory() if kernel else 0)):
            stopped = MEMORY
        elif now - started - starved > wall or now - started > PATIENCE * wall:
            stopped = WALL
        if stopped:
            break
    took = time.monotonic() - started
    _kill_all(child, jailed)
    _, status, usage = posix.wait4(child, 0)
    spent, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss
    while True:  # orphans are now this process's children
        try:
            _, _, usage = posix.wait4(-1, 0)
        except ChildProcessError:
            break
        spent += usage.ru_utime + usage.ru_stime
        peak = max(peak, usage.ru_maxrss)
    posix.close(pidfd)
    if not stopped and peak * 1024 > memory:  # between two measurements
        stopped = MEMORY
    times = (int(seconds * 1e6) for seconds in (spent, took, starved))
    return status, *times, peak, stopped, bool(kernel and kernel.changed(child))


def _kill_all(child: int, jailed: bool) -> None:
    """Kill every process except this one; the kernel does that in one step, so that none can escape by forking."""
    try:
        if jailed:
            posix.kill(-1, _signal.SIGKILL)
        else:
            posix.killpg(child, _signal.SIGKILL)
    except ProcessLookupError:
        pass


class _Tree:
    """All processes of a run, or only its first one if the others cannot be told from unrelated processes."""

    def __init__(self, child: int, jailed: bool) -> None:
        self._child, self._jailed = child, jailed
        self._held: dict[str, int] = {}  # private bytes of each process; what forks share counts for each of them
        self._shared: dict[bytes, int] = {}  # bytes of each shared mapping not backed by a file
        self._hidden = False

    def look(self) -> tuple[float, bool]:
        """The CPU seconds of all of them, and whether any of their threads runs or waits for a core."""
        ticks, ready = 0, False
        self._held, before, self._shared = {}, self._shared, {}
        for name in posix.listdir("/proc") if self._jailed else [str(self._child)]:
            if not name.isdigit() or name == "1":
                continue
            folder = "/proc/" + name
            try:
                fields = _read(folder + "/stat").rpartition(b")")[2].split()
                ticks += sum(map(int, fields[11:15]))  # its own, and that of children it has waited for
                ready = ready or fields[0] == b"R" or (fields[17] != b"1" and _any_ready(folder + "/task"))
                if fields[0] == b"Z" and fields[17] != b"1":  # only its first thread has ended
                    folder = _of_a_thread(folder + "/task")
                self._held[folder] = _kib(_read(folder + "/status"), b"RssAnon:", b"VmSwap:", b"VmPTE:")
                self._see_shared(_read(folder + "/maps"), before)
            except PermissionError:
                self._hidden = True
            except OSError:
                pass  # it ended meanwhile
        return ticks / CLOCK, ready

    def holds_more(self, memory: int) -> bool:
        """Whether they held more than so many bytes when last measured; true if one cannot be measured."""
        left = memory - sum(self._shared.values())
        return self._hidden or (sum(self._held.values()) > left and sum(map(self._share, self._held)) > left)

    def _see_shared(self, maps: bytes, before: dict[bytes, int]) -> None:
        """Record the largest extent of each shared mapping: its pages exist until nobody maps any of them."""
        if b" /dev/zero (deleted)" not in maps:
            return
        for line in maps.splitlines():
            if line.endswith(b" /dev/zero (deleted)"):
                area, _, offset, _, inode = line.split()[:5]
                start, end = (int(one, 16) for one in area.split(b"-"))
                known = max(SHARED, self._shared.get(inode, 0), before.get(inode, 0))
                self._shared[inode] = max(known, int(offset, 16) + end - start)

    def _share(self, folder: str) -> int:
        """A process's private bytes; what it shares with others since a fork is divided among them."""
        try:
            tables = _kib(_read(folder + "/status"), b"VmPTE:")
            return min(self._held[folder], tables + _kib(_read(folder + "/smaps_rollup"), b"Pss_Anon:", b"SwapPss:"))
        except PermissionError:
            return self._held[folder]
        except OSError:
            return 0  # it ended meanwhile


def _any_ready(tasks: str) -> bool:
    """Whether a thread runs or waits for a core."""
    stats = (_read(tasks + "/" + name + "/stat") for name in posix.listdir(tasks))
    return any(stat.rpartition(b")")[2].split(None, 1)[0] == b"R" for stat in stats)


def _of_a_thread(tasks: str) -> str:
    """The folder of a live thread; if the first one has ended, nothing else reports the memory of all."""
    for name in posix.listdir(tasks):
        if b"RssAnon:" in _read(tasks + "/" + name + "/status", b""):
            return tasks + "/" + name
    raise ProcessLookupError


class _Kernel:
    """What runs use and leave behind outside their processes: files, sockets, the kernel's counters.

    A later run can still tell how many runs there were before it, when they began, and how much CPU time they took.
    """

    def __init__(self, channel: "_socket.socket") -> None:
        options = (_socket.SO_SNDBUF, _socket.SO_RCVBUF)  # the filter does not let runs change theirs
        self._socket = 2 * max(channel.getsockopt(_socket.SOL_SOCKET, name) for name in options)
        self._last = posix.open("/proc/loadavg", posix.O_RDONLY | posix.O_CLOEXEC)
        self._counters = []
        for name in ("/proc/net/snmp", "/proc/net/snmp6", "/proc/self/autogroup"):
            try:  # noqa: SIM105  # contextlib is one more import
                self._counters.append(posix.open(name, posix.O_RDONLY | posix.O_CLOEXEC))
            except FileNotFoundError:
                pass  # this kernel has no IPv6, or no scheduling by session
        for folder in PRIVATE:
            posix.listdir(folder)  # from now on, reading it does not change its access time
        self._first = self._traces()

    def memory(self) -> int:
        """Bytes in files, plus upper bounds on the kernel's records of them and on data in sockets not received yet."""
        most = sum(map(_bytes, PRIVATE)) + INODE * sum(map(_files, PRIVATE))
        sockets = int(_read("/proc/net/sockstat").split(None, 3)[2])
        if sockets:
            most += sockets * self._socket + _tcp_sockets() * _tcp_buffers()
        return most

    def changed(self, child: int) -> bool:
        """Whether folders, packets, niceness or process numbers could tell a later run what this one did."""
        last = int(posix.pread(self._last, 100, 0).split()[-1])  # the last number given to a process or thread
        return last != child or self._traces() != self._first

    def _traces(self) -> list[object]:
        folders = [(_files(one), _stat(one)) for one in PRIVATE]
        return [folders, [posix.pread(fd, 16384, 0) for fd in self._counters]]


def _files(folder: str) -> int:
    """How many files a private file system contains; extended attributes count as additional files."""
    found = posix.statvfs(folder)
    return found.f_files - found.f_ffree


def _bytes(folder: str) -> int:
    found = posix.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def _stat(folder: str) -> tuple[int, ...]:
    found = posix.stat(folder)
    times = (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns)
    return found.st_mode, found.st_uid, found.st_nlink, found.st_size, *times


def _tcp_sockets() -> int:
    """How many TCP sockets could hold packets."""
    text = _read("/proc/net/sockstat") + _read("/proc/net/sockstat6", b"")
    rest = (text.partition(name + b": inuse ")[2].split(None, 1) for name in (b"TCP", b"TCP6"))
    return sum(int(one[0]) for one in rest if one)


def _tcp_buffers() -> int:
    """Bytes that one TCP socket could hold."""
    return sum(int(_read("/proc/sys/net/ipv4/" + name).split()[2]) for name in ("tcp_rmem", "tcp_wmem"))


def _kib(text: bytes, *names: bytes) -> int:
    """The sum of some lines of a file in `/proc`, in bytes; a missing line counts as 0."""
    found = (text.partition(name)[2].split(None, 1) for name in names)
    return 1024 * sum(int(rest[0]) for rest in found if rest)


def _read(path: str, missing: "bytes | None" = None) -> bytes:
    """A file's content, or `missing` for a file that some kernels do not have."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except FileNotFoundError:
        if missing is None:
            raise
        return missing


if __name__ == "__main__":
    main(jailed="jailed" in sys.argv)
