"""A Slurm of one node for a test: it lives in a scratch folder, on free ports, and touches no file of the system."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "sinfo", "scancel")

# Nothing is enforced here, so the node may pretend to be large. The two GPUs are clones of /dev/null.
# MinJobAge keeps finished jobs on record until the test has read them.
SLURM_CONF = """
ClusterName=toy
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={lab}/munge.socket
StateSaveLocation={lab}/state
SlurmdSpoolDir={lab}/spool
SlurmctldPidFile={lab}/slurmctld.pid
SlurmdPidFile={lab}/slurmd.pid
SlurmctldLogFile={lab}/slurmctld.log
SlurmdLogFile={lab}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=2,batch_sched_delay=1
MinJobAge=3600
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=64 Boards=1 SocketsPerBoard=1 CoresPerSocket=64 RealMemory=512000 Gres=gpu:2
PartitionName=cpu Nodes={host} Default=YES MaxTime=2-00:00:00
PartitionName=gpu Nodes={host} MaxTime=2-00:00:00
"""
GRES_CONF = "AutoDetect=off\nName=gpu File=/dev/null\nName=gpu File=/dev/zero\n"

# Snakemake strips SLURM_CONF from the environment of the `srun` inside a job.
SRUN = '#!/bin/sh\nSLURM_CONF={lab}/slurm.conf exec {srun} "$@"\n'


def why_not() -> str | None:
    """Why no Slurm node can be started here; None where it can."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing:
        return f"Slurm is not installed (no {', '.join(missing)}): apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return "starting a Slurm node needs root"
    return None


class SlurmNode:
    """A running node: the environment in which Slurm's commands find it, and what they say."""

    def __init__(self, lab: Path):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_", "SRUN_"))}
        self.environment = inherited | {
            "SLURM_CONF": str(lab / "slurm.conf"),
            "PATH": f"{lab / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }

    def ask(self, *command: str) -> str:
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True, timeout=60).stdout

    def is_idle(self) -> bool:
        try:
            return self.ask("sinfo", "--noheader", "--format=%T").split() == ["idle"]
        except subprocess.CalledProcessError:  # the controller does not listen yet
            return False

    def jobs(self) -> list[dict[str, str]]:
        """Every job since the start, running or not, in the fields of ``scontrol show job``."""
        lines = self.ask("scontrol", "--oneliner", "show", "job").splitlines()
        return [dict(re.findall(r"(\S+?)=(.*?)(?=\s+\S+?=|\s*$)", line)) for line in lines if line.startswith("JobId=")]

    def cancel_all(self) -> None:
        self.ask("scancel", "--user=root")
        wait_for("the jobs to end", lambda: not self.ask("squeue", "--noheader"))


@contextmanager
def slurm_node() -> Iterator[SlurmNode]:
    """A Slurm node with the partitions ``cpu`` and ``gpu`` and two fake GPUs; its jobs end with it."""
    with ExitStack() as stack:
        lab = Path(tempfile.mkdtemp(prefix="slurm-"))  # short, because sockets with long paths are refused
        stack.callback(shutil.rmtree, lab)
        _furnish(lab)
        node = SlurmNode(lab)

        def start(*command: str) -> None:
            output = stack.enter_context((lab / f"{command[0]}.out").open("w"))
            daemon = subprocess.Popen(command, env=node.environment, stdout=output, stderr=output, start_new_session=True)
            stack.callback(_stop, daemon)

        # In the foreground, to be stopped as children; each in a session of its own, so that Ctrl-C leaves the order to us.
        start(
            "munged",
            "--foreground",
            f"--socket={lab / 'munge.socket'}",
            *(f"--{kind}-file={lab}/munge.{kind}" for kind in ("key", "pid", "log", "seed")),
        )
        wait_for("munged", (lab / "munge.socket").exists)
        start("slurmctld", "-D")
        start("slurmd", "-D", "-N", _host())
        try:
            wait_for("the node to be idle", node.is_idle)
        except TimeoutError as error:
            raise RuntimeError("\n".join(f"== {log.name}\n{log.read_text()}" for log in lab.glob("*.log"))) from error
        stack.callback(node.cancel_all)
        yield node


def wait_for(what: str, condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.3)


def _furnish(lab: Path) -> None:
    lab.chmod(0o755)  # munged refuses a socket that others cannot reach
    for folder in ("state", "spool", "bin"):
        (lab / folder).mkdir()
    key = lab / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    (lab / "slurm.conf").write_text(SLURM_CONF.format(host=_host(), lab=lab, ports=_free_ports(2)))
    (lab / "gres.conf").write_text(GRES_CONF)
    srun = lab / "bin/srun"
    srun.write_text(SRUN.format(lab=lab, srun=shutil.which("srun")))
    srun.chmod(0o755)


def _host() -> str:
    return socket.gethostname().split(".")[0]


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def _stop(daemon: subprocess.Popen) -> None:
    daemon.terminate()
    try:
        daemon.wait(timeout=20)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
