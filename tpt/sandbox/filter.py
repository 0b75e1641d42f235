"""A seccomp filter: the system calls that no solution needs and with which it could evade its limits.

They concern memory that belongs neither to a process nor to a file system of limited size (memfd, System V segments,
huge pages, pages lent to a pipe), other processes' memory, namespaces, keyrings, socket families that a network
namespace does not confine, larger socket buffers, and scheduling and limits through which a run could slow down the
next one or pass information to it.
"""

import errno
import platform
import socket
import struct
from dataclasses import dataclass

from tpt.errors import SandboxError

# Numbers from the kernel's tables: x86-64, arm64.
DENIED = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "vmsplice": (278, 75),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "setpriority": (141, 140),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "ioprio_set": (251, 30),
}
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
X32 = 0x40000000  # numbers from here on are a second interface to the same calls

FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
PROTOCOLS = (0, 1, socket.IPPROTO_TCP, socket.IPPROTO_UDP)  # 1 is for AF_UNIX; as ICMP it needs privileges
_MAP_HUGETLB = 0x40000
_BUFFERS = (7, 8, 32, 33, 60)  # SO_SNDBUF, SO_RCVBUF, the FORCE variants of both, SO_ZEROCOPY
_SIGCHLD = 17
_PRETENDED = 0  # as an error number: the call does nothing but reports success

# Classic BPF over struct seccomp_data: the number at offset 0, the architecture at 4, and from 16 on six arguments of
# two words each, the lower word first on both machines (linux/seccomp.h, linux/filter.h).
_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_WORD = 0xFFFFFFFF

_Step = tuple[int, int, int, int]  # code, steps to skip if it is true, steps to skip if not, operand


@dataclass(frozen=True, slots=True)
class _Test:
    """Whether a word of the arguments, masked, is `value`; with `equal=False`, whether it is not."""

    word: int  # the lower word of argument i is 2 i
    value: int
    mask: int = _WORD
    equal: bool = True


@dataclass(frozen=True, slots=True)
class _Rule:
    """The error number with which a call fails if all tests hold."""

    numbers: tuple[int, int]
    error: int
    tests: tuple[_Test, ...] = ()


_SOCKET = tuple(_Test(0, family, equal=False) for family in FAMILIES)
_RULES = [
    *(_Rule(numbers, errno.EPERM) for numbers in DENIED.values()),
    _Rule((41, 198), errno.EAFNOSUPPORT, _SOCKET),  # socket
    _Rule((53, 199), errno.EAFNOSUPPORT, _SOCKET),  # socketpair
    _Rule((41, 198), errno.EPROTONOSUPPORT, tuple(_Test(4, one, equal=False) for one in PROTOCOLS)),
    *(_Rule((54, 208), errno.EPERM, (_Test(2, socket.SOL_SOCKET), _Test(4, name))) for name in _BUFFERS),  # setsockopt
    _Rule((302, 261), errno.EPERM, (_Test(0, 1),)),  # prlimit64 on process 1, from which all runs inherit
    _Rule((9, 222), errno.ENOMEM, (_Test(6, _MAP_HUGETLB, _MAP_HUGETLB),)),  # mmap
    # rt_sigaction that sets what SIGCHLD does: the CPU time of ignored children is reported to nobody. It pretends to
    # succeed, so that a program that only wants no zombies goes on. Either word of the pointer may be zero.
    *(_Rule((13, 134), _PRETENDED, (_Test(0, _SIGCHLD), _Test(word, 0, equal=False))) for word in (2, 3)),
]


def program() -> bytes:
    """The filter for this machine, as `bwrap --seccomp` takes it.

    Raises:
        SandboxError: the system calls of this machine are not in the table.
    """
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise SandboxError(f"the sandbox does not support {machine} machines", "judge on x86-64 or arm64")
    column, architecture = ARCHITECTURES[machine]
    steps = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, 0, 1, X32),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    ]
    for rule in _RULES:
        steps += _block(rule, column)
    steps.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


def _block(rule: _Rule, column: int) -> list[_Step]:
    """The steps of a rule; they begin and end with the call's number loaded."""
    tests: list[_Step] = []
    end = 3 * len(rule.tests) + 1  # where to jump if the rule does not hold: after its return
    for test in rule.tests:
        left = end - len(tests) - 3
        tests += [
            (_LOAD, 0, 0, 16 + 4 * test.word),
            (_AND, 0, 0, test.mask),
            (_EQUAL, *((0, left) if test.equal else (left, 0)), test.value),
        ]
    found = [*tests, (_RETURN, 0, 0, _ERRNO | rule.error)]
    if tests:
        found.append((_LOAD, 0, 0, 0))
    return [(_EQUAL, 0, len(found), rule.numbers[column]), *found]
