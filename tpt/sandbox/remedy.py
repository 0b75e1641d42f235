"""What to do where the sandbox does not start, by what bubblewrap and others said. Most of it concerns containers."""

INSTALL = (
    "install bubblewrap 0.8 or newer (Debian, Ubuntu: apt-get install bubblewrap; Fedora: dnf install bubblewrap); "
    "or, only for solutions that you trust: task.sandbox=none"
)
FILES = "the user that runs the solutions must be able to read files in TMPDIR: check its mode and ACL"
USER = (
    "root runs solutions as the user nobody, which it may not become here: run tpt as an ordinary user (Docker: "
    "--user $(id -u), Apptainer: without --fakeroot), or give the container the capabilities SETUID and SETGID; "
    "or, only for solutions that you trust: task.sandbox=none"
)
PROC = (
    "parts of /proc are hidden or read-only here, as in most containers, and the kernel then allows no new one: "
    "start the container with --security-opt systempaths=unconfined (Docker) or --security-opt unmask=ALL (Podman); "
    "or, only for solutions that you trust: task.sandbox=none"
)
NAMESPACES = (
    "unprivileged user namespaces must be allowed (sysctl kernel.unprivileged_userns_clone=1, "
    "kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces=15000; in a container: "
    "--security-opt seccomp=unconfined --security-opt apparmor=unconfined); "
    "or, only for solutions that you trust: task.sandbox=none"
)
# The first that has one of its signs in what was said.
REMEDIES = (
    (FILES, ("can't open file", "Can't find source path")),
    (USER, ("setpriv: set",)),
    (PROC, ("Can't mount proc",)),
    (NAMESPACES, ("namespace", "Operation not permitted", "Permission denied", "No space left on device")),
)


def remedy(words: str) -> str:
    """What to do about a sandbox that does not start.

    Args:
        words: what it said.
    """
    return next((found for found, signs in REMEDIES if any(sign in words for sign in signs)), INSTALL)
