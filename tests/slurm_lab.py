"""A real SLURM on this machine: two virtual nodes with pretended GPUs, preemption, accounting; no systemd, no cgroups.

The tests start one for a session. By hand, to try docs/cluster.md:

    python tests/slurm_lab.py up /tmp/slurm     # prints the line that sets SLURM_CONF for a shell
    python tests/slurm_lab.py down /tmp/slurm

Needs Debian's packages slurm-wlm, munge, slurmdbd and mariadb-server-core (`make test` installs them as root).
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "slurmdbd", "mariadbd", "sbatch", "sacct")
SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
START_SECONDS = 60.0

SLURM_CONF = """\
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
AuthType=auth/munge
CredType=cred/munge
# A requeued job may start again only when its old credential is void; the default is two minutes.
AuthInfo=socket={root}/munge/socket,cred_expire=5
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/pid/slurmctld
SlurmdPidFile={root}/pid/slurmd.%n
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=20
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
KillWait=5
MinJobAge=600
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
GresTypes=gpu
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePass={root}/munge/socket
AccountingStoragePort={database_port}
AccountingStorageTRES=gres/gpu
NodeName=n[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{node_ports}] CPUs={cpus} RealMemory={memory} \
Gres=gpu:{gpus} State=UNKNOWN
PartitionName=gpu   Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF DefMemPerCPU=100
PartitionName=low   Nodes=ALL Default=NO  MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=10 \
DefMemPerCPU=100
PartitionName=short Nodes=ALL Default=NO  MaxTime=2 State=UP PriorityTier=10 PreemptMode=OFF DefMemPerCPU=100
"""

DATABASE_CONF = """\
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={database_port}
SlurmUser={user}
AuthType=auth/munge
AuthInfo=socket={root}/munge/socket
PidFile={root}/pid/slurmdbd
LogFile={root}/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
"""

DATABASE_USER = """\
CREATE DATABASE IF NOT EXISTS slurm_acct_db;
CREATE USER IF NOT EXISTS 'slurm'@'localhost' IDENTIFIED BY 'slurm';
GRANT ALL ON slurm_acct_db.* TO 'slurm'@'localhost';
"""


class SlurmError(Exception):
    """A daemon does not start."""


def missing_programs() -> list[str]:
    """What would have to be installed."""
    return [name for name in PROGRAMS if not shutil.which(name, path=SYSTEM_PATH)]


@dataclass
class Slurm:
    """One cluster and its folder. Sockets live in the folder, so its path must be short, and readable by others."""

    root: Path
    nodes: int = 2
    cpus: int = 64
    memory: int = 512_000  # MB a node pretends to have
    gpus: int = 8

    @property
    def environment(self) -> dict[str, str]:
        """What a client of this cluster needs beside its own environment."""
        return {"SLURM_CONF": str(self.root / "etc" / "slurm.conf")}

    def start(self) -> None:
        """Start every daemon that does not run."""
        folders = ("etc", "log", "pid", "tmp", "state", "munge", "dev")
        for name in (*folders, *(f"spool/n{number}" for number in range(1, self.nodes + 1))):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        if not (self.root / "etc" / "slurm.conf").exists():
            self._configure()
        self._start_munge()
        self._start_database()
        self.start_controller()
        for number in range(1, self.nodes + 1):
            self.start_node(number)
        self._wait(lambda: self._idle_nodes() == self.nodes, "the nodes", "slurmctld.log")

    def stop(self) -> None:
        """End all jobs and daemons of this cluster, and nothing else."""
        with contextlib.suppress(subprocess.SubprocessError):
            jobs = self.command("squeue", "-h", "-o", "%A").split()
            if jobs:
                self.command("scancel", "--full", "--signal=KILL", *jobs)
                self.command("scancel", *jobs)
                self._wait(lambda: not self.command("squeue", "-h").strip(), "the end of all jobs", "slurmctld.log")
        for number in range(1, self.nodes + 1):
            self._end(f"slurmd.n{number}", "slurmd", signal.SIGTERM)
        for name in ("slurmctld", "slurmdbd", "mariadbd", "munged"):
            self._end(name, name, signal.SIGTERM)

    def command(self, *arguments: str, seconds: float = 30.0) -> str:
        """What a SLURM command prints.

        Raises:
            subprocess.CalledProcessError: with what it said.
        """
        return subprocess.run(
            arguments, env=self._environment(), check=True, capture_output=True, text=True, timeout=seconds
        ).stdout

    def start_controller(self) -> None:
        """Start slurmctld; it knows the jobs it knew before."""
        if not self._alive("slurmctld", "slurmctld"):
            self._daemon("slurmctld", "-f", self.environment["SLURM_CONF"])
        self._wait(lambda: "UP" in self.command("scontrol", "ping"), "slurmctld", "slurmctld.log")

    def stop_controller(self) -> None:
        """End slurmctld as a crash would; jobs go on."""
        self._end("slurmctld", "slurmctld", signal.SIGKILL)

    def start_node(self, number: int) -> None:
        """Start the slurmd of node `n<number>`."""
        if not self._alive(f"slurmd.n{number}", "slurmd"):
            self._daemon("slurmd", "-f", self.environment["SLURM_CONF"], "-N", f"n{number}")

    def crash_node(self, number: int) -> None:
        """A node that goes away at once: its slurmd and every process of its jobs are killed."""
        self._end(f"slurmd.n{number}", "slurmd", signal.SIGKILL)
        works = [pid for pid in _pids() if _works_for(pid, f"n{number}", self.environment["SLURM_CONF"])]
        # The step daemons first: they must not live to tell the controller that their job has ended.
        daemons = {_parent(pid) for pid in works} - set(works)
        for pid in [*(one for one in daemons if _name(one).startswith("slurmstepd")), *works]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.environment, "PATH": SYSTEM_PATH, "MYSQL_UNIX_PORT": str(self.root / "mysql.sock")}

    def _configure(self) -> None:
        ports = _free_ports(2 + self.nodes)
        values = {
            "host": socket.gethostname().split(".")[0],
            "user": _user(),
            "root": self.root,
            "controller_port": ports[0],
            "database_port": ports[1],
            "node_ports": ",".join(map(str, ports[2:])),
            "nodes": self.nodes,
            "cpus": self.cpus,
            "memory": self.memory,
            "gpus": self.gpus,
        }
        # slurmd wants a character device behind each GPU, and numbers the GPUs by the names of these links.
        for number in range(self.gpus):
            (self.root / "dev" / f"nvidia{number}").symlink_to("/dev/null")
        etc = self.root / "etc"
        (etc / "gres.conf").write_text(
            f"AutoDetect=off\nNodeName=n[1-{self.nodes}] Name=gpu File={self.root}/dev/nvidia[0-{self.gpus - 1}]\n"
        )
        (etc / "slurmdbd.conf").write_text(DATABASE_CONF.format(**values))
        (etc / "slurmdbd.conf").chmod(0o600)
        (etc / "init.sql").write_text(DATABASE_USER)
        key = self.root / "munge" / "key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        (etc / "slurm.conf").write_text(SLURM_CONF.format(**values))

    def _start_munge(self) -> None:
        folder = self.root / "munge"
        if not self._alive("munged", "munged"):
            (folder / "socket").unlink(missing_ok=True)
            self._daemon(
                "munged",
                f"--key-file={folder / 'key'}",
                f"--socket={folder / 'socket'}",
                f"--pid-file={self.root / 'pid' / 'munged'}",
                f"--log-file={self.root / 'log' / 'munged.log'}",
                f"--seed-file={folder / 'seed'}",
            )
        self._wait(lambda: self.command("munge", "-S", str(folder / "socket"), "-n"), "munged", "munged.log")

    def _start_database(self) -> None:
        data, log = self.root / "mysql", self.root / "log" / "mariadbd.log"
        server = [
            # A server that starts removes the temporary tables it finds, another's too: each has a folder of its own.
            *("mariadbd", "--no-defaults", f"--user={_user()}", f"--datadir={data}", f"--tmpdir={self.root / 'tmp'}"),
            *("--innodb-log-file-size=16M", "--innodb-buffer-pool-size=128M", "--innodb-lock-wait-timeout=900"),
        ]
        if not (data / "mysql").is_dir():
            self._make_database(server, data)
        if not self._alive("mariadbd", "mariadbd"):
            (self.root / "mysql.sock").unlink(missing_ok=True)
            with log.open("wb") as output:
                subprocess.Popen(
                    [
                        *(*server, f"--socket={self.root / 'mysql.sock'}", f"--pid-file={self.root / 'pid/mariadbd'}"),
                        *("--skip-networking", f"--init-file={self.root / 'etc/init.sql'}"),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    env=self._environment(),
                )
            self._wait(lambda: "ready for connections" in log.read_text(errors="replace"), "mariadbd", "mariadbd.log")
        if not self._alive("slurmdbd", "slurmdbd"):
            self._daemon("slurmdbd")
        self._wait(lambda: self.command("sacctmgr", "-n", "list", "cluster") is not None, "slurmdbd", "slurmdbd.log")

    def _make_database(self, server: list[str], data: Path) -> None:
        """What mariadb-install-db does, which is in another, larger package."""
        data.mkdir()
        share = Path("/usr/share/mysql")
        tables = ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql")
        statements = "create database if not exists mysql;\nuse mysql;\n"
        statements += "SET @auth_root_socket=NULL;\nSET @skip_auth_anonymous=1;\n"
        statements += "".join((share / name).read_text() for name in tables)
        done = subprocess.run(
            [*server, "--bootstrap", "--enforce-storage-engine="],
            input=statements,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env=self._environment(),
        )
        if done.returncode:
            raise SlurmError(f"mariadbd --bootstrap: {done.stdout[-2000:]}")

    def _daemon(self, *command: str) -> None:
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SlurmError(f"{' '.join(command)}: {done.stdout}{done.stderr} (logs: {self.root / 'log'})")

    def _idle_nodes(self) -> int:
        states = self.command("sinfo", "-h", "-N", "-p", "gpu", "-o", "%T").split()
        for number, state in enumerate(states, 1):
            if state.startswith(("down", "drain")):
                self.command("scontrol", "update", f"NodeName=n{number}", "State=RESUME")
        return sum(state in ("idle", "mixed", "allocated", "completing") for state in states)

    def _wait(self, ready: Callable[[], object], what: str, log: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(subprocess.SubprocessError, FileNotFoundError):
                if ready():
                    return
            if time.monotonic() > deadline:
                raise SlurmError(f"{what} did not come in {START_SECONDS:.0f} s, see {self.root / 'log' / log}")
            time.sleep(0.1)

    def _alive(self, pid_file: str, name: str) -> int:
        """The process that a pid file names, if it runs and has that name; else 0. A zombie does not run."""
        try:
            pid = int((self.root / "pid" / pid_file).read_text())
            text = Path(f"/proc/{pid}/stat").read_text()
        except (OSError, ValueError):
            return 0
        command, state = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2]
        return pid if command == name and state not in "ZX" else 0

    def _end(self, pid_file: str, name: str, number: signal.Signals) -> None:
        pid = self._alive(pid_file, name)
        if pid:
            os.kill(pid, number)
            deadline = time.monotonic() + 10
            while _runs(pid) and time.monotonic() < deadline:
                time.sleep(0.05)
            if _runs(pid):
                os.kill(pid, signal.SIGKILL)
        (self.root / "pid" / pid_file).unlink(missing_ok=True)


@contextlib.contextmanager
def cluster(root: Path) -> Iterator[Slurm]:
    """A cluster for the length of a block."""
    slurm = Slurm(root)
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()
        shutil.rmtree(root, ignore_errors=True)


def _user() -> str:
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return sorted(one.getsockname()[1] for one in sockets)
    finally:
        for one in sockets:
            one.close()


def _runs(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text[text.rindex(")") + 2] not in "ZX"


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _works_for(pid: int, node: str, conf: str) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return {f"SLURMD_NODENAME={node}".encode(), f"SLURM_CONF={conf}".encode()} <= set(environment)


def _parent(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(text[text.rindex(")") + 2 :].split()[1])


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["up", folder]:
            Slurm(Path(folder)).start()
            print(f"export SLURM_CONF={folder}/etc/slurm.conf")
        case ["down", folder]:
            Slurm(Path(folder)).stop()
        case _:
            sys.exit(__doc__)
