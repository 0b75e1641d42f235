"""The first process inside a sandbox: runs a program once for each request, and says how it ended.

It is started anew for every sample, by the sandbox's own Python, so it imports only what that has built in, and not
even `os`: each import here is paid once a sample. A run is a fork of it. It is process 1 of the sandbox, which no
process in there can kill, and it kills whatever a run leaves behind. It never knows what a program should print; that
is compared outside.

The channel is its standard input, a socket of packets: REQUEST with four file descriptors (program, stdin, stdout,
stderr) in, REPLY out. This file imports nothing of tpt: it lies alone in the sandbox.
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

# kind, cpu ms, wall ms, memory bytes, file bytes, processes; then words, each ended by a zero byte
REQUEST = _struct.Struct("<6Q")
# wait status, cpu us, wall us, us spent waiting for a core, peak KiB, why it was stopped, whether files are left
REPLY = _struct.Struct("<7Q")
PYTHON, EXECUTE = 0, 1  # kinds: Python source, run in a fork; a file to execute, or a command where words are given
ENDED, WALL, MEMORY, CPU = 0, 1, 2, 3  # why it was stopped

CHANNEL = PROGRAM = 3
TICK = 0.05  # seconds between looks at a run's memory and time
PRIVATE = ("/tmp", "/dev/shm")  # the folders that a program can write to
PAGE = resource.getpagesize()
CLOCK = posix.sysconf("SC_CLK_TCK")


def main(jailed: bool) -> None:
    """Serve requests until the other end is gone.

    Args:
        jailed: whether this is process 1 of a sandbox; else runs are held together by their process group alone.
    """
    channel = _socket.socket(fileno=posix.dup2(0, CHANNEL))
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    _undumpable()
    compile("pass", "", "exec")  # what the compiler sets up at its first use, no run has to set up again
    gc.freeze()  # a run that collects garbage does not write to what it shares with us
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
        child = posix.fork()
        if not child:
            try:
                _become(fds, cpu, memory, size, processes if jailed else 0, jailed)
                if kind == PYTHON:
                    _run_python()
                else:
                    _execute(words)
            finally:
                posix._exit(127)
        for fd in fds:
            posix.close(fd)
        channel.send(REPLY.pack(*_watch(child, started, cpu / 1000, wall / 1000, memory, jailed)))


def _preload(modules: list[str]) -> None:
    """Import modules of the library that the program names, once for all of its runs."""
    for name in modules:
        try:  # noqa: SIM105  # contextlib is one more import
            __import__(name)
        except ImportError:
            pass  # the program will say so itself


def _undumpable() -> None:
    """Keep processes of the same user from reading or writing our memory and files (PR_SET_DUMPABLE)."""
    import _ctypes

    library = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # None is the program itself
    _ctypes.call_function(_ctypes.dlsym(library, "prctl"), (4, 0, 0, 0, 0))


def _become(fds: tuple[int, ...], cpu: int, memory: int, size: int, processes: int, jailed: bool) -> None:
    """Turn the fork into a run: its own files, its own limits, nothing of ours."""
    if not jailed:
        posix.setsid()
    for target, fd in enumerate(fds[1:]):
        posix.dup2(fd, target)
    posix.dup2(fds[0], PROGRAM)  # in the channel's place
    posix.closerange(PROGRAM + 1, 1024)
    limits = [
        (resource.RLIMIT_CPU, cpu // 1000 + 2),  # a second line: whole seconds, and each process for itself
        (resource.RLIMIT_AS, memory),
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
    given, out, errors = (open(fd, mode, closefd=False) for fd, mode in enumerate(("rb", "wb", "wb")))  # noqa: SIM115  # open to the end
    sys.stdin = io.TextIOWrapper(given, "utf-8", "surrogateescape")
    sys.stdout = io.TextIOWrapper(out, "utf-8", "surrogateescape")
    sys.stderr = io.TextIOWrapper(errors, "utf-8", "backslashreplace", line_buffering=True)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]  # final only for mypy
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)  # contests were held, and solutions labelled, before there was a limit
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


def _exit_code(code: object) -> int:
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    print(code, file=sys.stderr)
    return 1


def _finish(code: int) -> None:
    """What the interpreter does at its end, without taking itself apart."""
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
    """Execute a command, or, without one, the program's own file."""
    posix.set_inheritable(PROGRAM, False)
    if words:
        posix.execve(words[0], words, posix.environ)
    posix.execve(PROGRAM, ["solution"], posix.environ)


def _watch(child: int, started: float, cpu: float, wall: float, memory: int, jailed: bool) -> tuple[int, ...]:
    """Wait for a run, stop it at its limits, and leave no process of it behind."""
    end = select.poll()
    end.register(posix.pidfd_open(child), select.POLLIN)
    stopped, waited = ENDED, 0
    while not end.poll(1000 * max(0.001, min(TICK, started + wall - time.monotonic()))):
        used, resident, waited = _usage(child, jailed)
        if used > cpu:
            stopped = CPU
        elif resident > memory:
            stopped = MEMORY
        elif time.monotonic() - started > wall:
            stopped = WALL
        if stopped:
            break
    took = time.monotonic() - started
    _kill_all(child, jailed)
    _, status, usage = posix.wait4(child, 0)
    spent, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss
    while True:  # orphans are ours now
        try:
            _, _, usage = posix.wait4(-1, 0)
        except ChildProcessError:
            break
        spent += usage.ru_utime + usage.ru_stime
        peak = max(peak, usage.ru_maxrss)
    posix.closerange(CHANNEL + 1, 1024)  # the pidfd among them
    return status, int(spent * 1e6), int(took * 1e6), waited, peak, stopped, jailed and _files_left()


def _files_left() -> bool:
    """Whether there is anything in the folders that a program can write to, or they are no longer as they were."""
    try:
        return any(posix.listdir(folder) for folder in PRIVATE)
    except OSError:
        return True


def _kill_all(child: int, jailed: bool) -> None:
    """Kill every process but ourselves; the kernel takes them all in one step, so that none can fork away."""
    try:
        if jailed:
            posix.kill(-1, _signal.SIGKILL)
        else:
            posix.killpg(child, _signal.SIGKILL)
    except ProcessLookupError:
        pass


def _usage(child: int, jailed: bool) -> tuple[float, int, int]:
    """CPU seconds and private bytes of the whole process tree, and how long its root waited for a core, in us."""
    ticks = pages = waited = 0
    for name in posix.listdir("/proc") if jailed else [str(child)]:
        if not name.isdigit() or name == "1":
            continue
        try:
            with open("/proc/" + name + "/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            with open("/proc/" + name + "/statm") as file:
                _, resident, shared = file.read().split()[:3]
            if int(name) == child:
                with open("/proc/" + name + "/schedstat") as file:
                    waited = int(file.read().split()[1]) // 1000
        except (OSError, IndexError):
            continue  # it ended meanwhile
        ticks += sum(int(field) for field in fields[11:15])  # its own, and of its children that were waited for
        pages += int(resident) - int(shared)
    return ticks / CLOCK, pages * PAGE, waited


if __name__ == "__main__":
    main(jailed="jailed" in sys.argv)
