"""A real Slurm of one node, for tests: started from Debian's packages, and stopped again.

It needs root, for munge and slurmd; it listens on the loopback interface only, and does without
systemd, cgroups and accounting. Two GPUs are feigned by copies of the device /dev/null.
"""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["SlurmError", "slurm_node", "why_no_slurm"]

CONFIG = Path("/etc/slurm/slurm.conf")
"""Where job steps, which do not inherit SLURM_CONF, look for it."""

PREFIX = "seqcnn-slurm-"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "sinfo")
GPUS = 2
PATIENCE = 120


class SlurmError(Exception):
    """A daemon that does not start."""


def why_no_slurm() -> str:
    """Say why there can be no Slurm here; nothing where it can."""
    if not sys.platform.startswith("linux"):
        return "Slurm wants Linux"
    missing = [program for program in PROGRAMS if _find(program) is None]
    if missing:
        return f"{', '.join(missing)} not installed: tests/install_debian_packages.sh"
    if os.geteuid() != 0:
        return "starting a Slurm needs root"
    if CONFIG.exists() and not CONFIG.resolve().parent.name.startswith(PREFIX):
        return f"{CONFIG} is there: a Slurm of this machine's own, which is left alone"
    return ""


def _find(program: str) -> str | None:
    # Daemons are in sbin, which is not on everybody's path.
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def slurm_node(*, cpus: int, memory: int) -> Iterator[Path]:
    """Start a Slurm of one node, give its folder, and stop it with all its jobs.

    Parameters
    ----------
    cpus
        Processor cores that it hands out.
    memory
        Megabytes that it hands out.
    """
    with contextlib.ExitStack() as stack:
        CONFIG.parent.mkdir(exist_ok=True)
        lock = stack.enter_context(Path(f"/tmp/{PREFIX}lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)  # one at a time, in whatever process
        # Paths of sockets must be short.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX, dir="/tmp")))
        folder.chmod(0o755)
        config = _configure(folder, cpus, memory)
        CONFIG.unlink(missing_ok=True)  # of a test that was killed
        CONFIG.symlink_to(config)
        stack.callback(CONFIG.unlink)
        _start_munge(folder, stack)
        for daemon in ("slurmctld", "slurmd"):
            command = [_find(daemon), "-D", "-f", str(config)]
            stack.enter_context(_daemon(command, folder / f"{daemon}.out"))
        _await_node(folder)
        stack.callback(_cancel_all)
        yield folder


def _configure(folder: Path, cpus: int, memory: int) -> Path:
    host = socket.gethostname().split(".")[0]
    control, node = _free_ports(2)
    for name in ("state", "spool", "munge"):
        (folder / name).mkdir()
    devices = [folder / f"gpu{i}" for i in range(GPUS)]
    for device in devices:
        os.mknod(device, 0o020666, Path("/dev/null").stat().st_rdev)
    (folder / "gres.conf").write_text(
        "".join(f"NodeName={host} Name=gpu File={device}\n" for device in devices)
    )
    config = folder / "slurm.conf"
    config.write_text(
        f"""ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort={control}
SlurmdPort={node}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldParameters=cloud_reg_addrs
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
MinJobAge=600
KillWait=20
InactiveLimit=0
SchedulerParameters=batch_sched_delay=1,sched_min_interval=100000
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:{GPUS} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
    )
    return config


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _start_munge(folder: Path, stack: contextlib.ExitStack) -> None:
    munge = folder / "munge"
    key = munge / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    munge.chmod(0o755)
    options = {"key-file": key, "socket": munge / "socket", "pid-file": munge / "pid"}
    options |= {"log-file": munge / "log", "seed-file": munge / "seed"}
    words = [f"--{name}={path}" for name, path in options.items()]
    command = [_find("munged"), "--foreground", "--force", "--num-threads=1", *words]
    stack.enter_context(_daemon(command, munge / "out"))
    _await((munge / "socket").exists, "munged", munge / "out")


@contextlib.contextmanager
def _daemon(command: list[str | None], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_node(folder: Path) -> None:
    def is_idle() -> bool:
        done = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, check=False)
        return done.stdout.strip() == b"idle"

    _await(is_idle, "slurmctld or slurmd", folder / "slurmctld.out", folder / "slurmd.out")


def _await(ready: object, name: str, *logs: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not ready():  # type: ignore[operator]
        if time.monotonic() > end:
            said = "\n".join(log.read_text(errors="replace")[-2000:] for log in logs)
            raise SlurmError(f"{name} does not start:\n{said}")
        time.sleep(0.1)


def _cancel_all() -> None:
    """Cancel all jobs, and wait until their processes are gone."""
    subprocess.run(["scancel", "--full", "--user=root"], capture_output=True, check=False)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        queue = subprocess.run(["squeue", "-h"], capture_output=True, check=False)
        if not queue.stdout.strip():
            return
        time.sleep(0.5)
