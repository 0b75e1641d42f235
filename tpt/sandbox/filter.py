"""A seccomp filter: the system calls that no solution of a problem needs and that could reach past its limits.

Memory that is neither a process's nor a sized file system's (memfd, System V segments), other processes' memory,
namespaces, keyrings, and scheduling, with which a run could slow the next one down.
"""

import errno
import platform
import struct

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
X32 = 0x40000000  # numbers from here on are another interface to the same calls

# Classic BPF over struct seccomp_data: number at offset 0, architecture at 4 (linux/seccomp.h, linux/filter.h).
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000


def program() -> bytes:
    """The filter for this machine, as `bwrap --seccomp` takes it.

    Raises:
        SandboxError: a machine whose numbers are not in the table.
    """
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise SandboxError(f"the sandbox knows no system calls of {machine}", "judge on x86-64 or arm64")
    column, architecture = ARCHITECTURES[machine]
    steps = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, 0, 1, X32),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    ]
    for numbers in DENIED.values():
        steps += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    steps.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("<HBBI", *step) for step in steps)
