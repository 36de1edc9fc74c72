"""A real SLURM of two nodes on this machine, for as long as a test session takes.

Controller and nodes have a network namespace each, which a bridge joins. It wants root, and
Debian's packages `slurm-wlm`, `munge` and `iproute2`.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scontrol", "ip", "nsenter")
NODES = ("node1", "node2")
HOSTS = ("head", *NODES)
GPUS = 1  # of each node
CPUS = 8
MEMORY = 8000  # MB, of each node

SLURM_CONF = """\
ClusterName=lab
SlurmctldHost=head({net}.10)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={state}/munge.socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
PropagateResourceLimits=NONE
StateSaveLocation={state}/ctld
SlurmdSpoolDir={state}/spool-%n
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd-%n.pid
SlurmctldLogFile={state}/slurmctld.log
SlurmdLogFile={state}/slurmd-%n.log
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0,bf_interval=1,\
sched_max_job_start=100
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
PriorityType=priority/basic
JobRequeue=1
KillWait=5
MinJobAge=300
CompleteWait=0
ReturnToService=2
SlurmdParameters=config_overrides
EnforcePartLimits=ALL
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
GresTypes=gpu
{nodes}
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE DefMemPerCPU=100 State=UP
PartitionName=gpu Nodes=ALL Default=NO MaxTime=INFINITE DefMemPerCPU=100 State=UP
"""


def missing() -> str:
    """Why there can be no cluster here; empty if there can."""
    lacking = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if lacking:
        return f"no SLURM here: {', '.join(lacking)} not found (Debian: slurm-wlm, munge)"
    return "" if os.geteuid() == 0 else "a SLURM of one's own wants root"


def wait(condition: Callable[[], object], seconds: float, what: str) -> object:
    """What a condition gives once it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise TimeoutError(what)


class Cluster:
    """Controller and nodes.

    Parameters
    ----------
    state
        Where they keep what they write; a short path, as sockets lie there.
    """

    def __init__(self, state: Path):
        self.state = state
        number = os.getpid() % 200  # test sessions may run side by side
        self._net, self._link = f"10.213.{number}", f"slurm{number}"
        self.environment = {
            **os.environ,
            "PATH": _path(),
            "SLURM_CONF": str(state / "slurm.conf"),
        }
        self._daemons: dict[str, subprocess.Popen] = {}

    def start(self) -> None:
        """Start all daemons, and wait until every node takes jobs."""
        self._write_settings()
        self._join_nodes()
        self._start("munged", *self._munged())
        wait((self.state / "munge.socket").exists, 10, "munged does not start")
        self._start("slurmctld", *self._on("head"), "slurmctld", "-D")
        for node in NODES:
            self._start(node, *self._on(node), "slurmd", "-D", "-N", node)
        wait(self._idle, 30, f"nodes do not come up; logs in {self.state}")

    def stop(self) -> None:
        """End all jobs, then all daemons, and take the network down."""
        with suppress(subprocess.SubprocessError):
            self.run("scancel", "--user=root", "--full", timeout=10)
        for name in reversed(list(self._daemons)):
            process = self._daemons[name]
            process.terminate()
            try:
                process.wait(timeout=8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._kill_steps()
        self._part_nodes()

    def run(self, *command: str, timeout: float = 30) -> str:
        """What a command of SLURM prints."""
        done = subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=True,
        )
        return done.stdout

    def running(self) -> list[tuple[str, int, str]]:
        """Id, GPUs and comment of each running job; the comment names rule and wildcards."""
        # What a running job has, it has asked for; without accounting, SLURM does not count GPUs.
        form = "JobArrayID:|,tres-per-job:|,tres-per-task:|,tres-per-node:|,Comment:"
        found = []
        for line in self.run("squeue", "-h", "-r", "-t", "running", "-O", form).splitlines():
            job, *asked, comment = line.strip().split("|")
            gpus = [int(text.rsplit(":", 1)[1]) for text in asked if "gpu" in text]
            found.append((job, sum(gpus), comment))
        return found

    def node_of(self, job: str) -> str:
        """The node that a job runs on."""
        return self.run("squeue", "-h", "-j", job, "-o", "%N").strip()

    def _idle(self) -> bool:
        try:
            states = self.run("sinfo", "-h", "-N", "-p", "cpu", "-o", "%T").split()
        except subprocess.SubprocessError:
            return False
        return states == ["idle"] * len(NODES)

    # What is written, what is started.

    def _write_settings(self) -> None:
        for name in ("ctld", "dev", *(f"spool-{node}" for node in NODES)):
            (self.state / name).mkdir(parents=True)
        key = self.state / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        nodes = "\n".join(
            f"NodeName={node} NodeAddr={self._address(node)} CPUs={CPUS} RealMemory={MEMORY}"
            f" Gres=gpu:{GPUS} State=UNKNOWN"
            for node in NODES
        )
        text = SLURM_CONF.format(net=self._net, state=self.state, nodes=nodes)
        (self.state / "slurm.conf").write_text(text)
        device = self.state / "dev/nvidia0"  # SLURM wants a device; /dev/null is one
        os.mknod(device, 0o20666, os.makedev(1, 3))
        gres = [f"NodeName={node} Name=gpu File={device}" for node in NODES]
        (self.state / "gres.conf").write_text("\n".join(["AutoDetect=off", *gres, ""]))
        off = ("ConstrainCores=no", "ConstrainDevices=no", "ConstrainRAMSpace=no", "")
        (self.state / "cgroup.conf").write_text("\n".join(off))

    def _munged(self) -> list[str]:
        files = {
            "key-file": "munge.key",
            "socket": "munge.socket",
            "pid-file": "munged.pid",
            "seed-file": "munged.seed",
        }
        options = [f"--{name}={self.state / file}" for name, file in files.items()]
        return ["munged", "--foreground", "--force", *options]

    def _start(self, name: str, *command: str) -> None:
        with open(self.state / f"{name}.out", "w") as output:
            self._daemons[name] = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _on(self, host: str) -> list[str]:
        """Run a command on a host: its network, its name, and these settings for its children."""
        # `ip netns exec` would mount another /sys, where slurmd misses the control groups. And
        # Snakemake's executor takes SLURM_CONF out of its jobs' environment.
        network = ["nsenter", f"--net=/run/netns/{self._link}-{host}"]
        settings = f'mount --bind {self.state} /etc/slurm; hostname {host}; exec "$@"'
        return [*network, "unshare", "--uts", "--mount", "sh", "-euc", settings, "sh"]

    def _kill_steps(self) -> None:
        """End what jobs have left."""
        for entry in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if f"={self.state}/".encode() in entry.read_bytes():
                    os.kill(int(entry.parent.name), signal.SIGKILL)

    def _address(self, host: str) -> str:
        return f"{self._net}.{10 + HOSTS.index(host)}"

    # The network: a bridge, and a namespace a node.

    def _join_nodes(self) -> None:
        self._part_nodes()  # of a session that was killed
        bridge = self._link
        _ip(f"link add {bridge} type bridge")
        _ip(f"addr add {self._net}.1/24 dev {bridge}")
        _ip(f"link set {bridge} up")
        for place, host in enumerate(HOSTS):
            space, link = f"{bridge}-{host}", f"{bridge}-{place}"
            _ip(f"netns add {space}")
            _ip(f"link add {link} type veth peer name eth0 netns {space}")
            _ip(f"link set {link} master {bridge} up")
            _ip(f"-n {space} addr add {self._address(host)}/24 dev eth0")
            _ip(f"-n {space} link set eth0 up")
            _ip(f"-n {space} link set lo up")

    def _part_nodes(self) -> None:
        for host in HOSTS:
            _ip(f"netns delete {self._link}-{host}", check=False)
        _ip(f"link delete {self._link}", check=False)


def _ip(arguments: str, check: bool = True) -> None:
    done = subprocess.run(["ip", *arguments.split()], capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"ip {arguments}: {done.stderr.strip()}")


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"
