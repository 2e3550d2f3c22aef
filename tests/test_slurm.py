"""The smoke workflow on a real Slurm of one node, and what is said when one of its jobs fails."""

import os
import re
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from clapleak.config import find_root
from clapleak.setups import PRETRAININGS, SETUPS

pytestmark = pytest.mark.slow
CLI = str(Path(sys.executable).parent / "clapleak")


@pytest.fixture(scope="module")
def slurm():
    """Environment of a Slurm that is stopped after the tests of this module; where it is installed it must start."""
    if find_spec("snakemake_executor_plugin_slurm") is None or not shutil.which("slurmctld"):
        pytest.skip("Slurm or its executor is not installed")
    script = find_root() / "tests" / "slurm" / "single_node.sh"
    command = ["bash", script, "sh", "-c", 'printf "%s\\n" "$SLURM_CONF" "$PATH"; cat']  # cat ends with its stdin
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True) as process:
        configuration, path = process.stdout.readline().strip(), process.stdout.readline().strip()
        assert configuration, process.stderr.read()
        yield os.environ | {"SLURM_CONF": configuration, "PATH": path}
        process.stdin.close()
    assert process.returncode == 0 and not Path(configuration).parent.exists()


def reproduce(project: Path, environment: dict[str, str], **changes: object) -> tuple[int, str, dict[str, dict]]:
    """Exit code, stderr, and jobs by their comments, of the shipped profile with its lines about GPUs switched on."""
    path = project / "workflow" / "slurm" / "config.yaml"
    settings = yaml.safe_load(re.sub(r"^#(?=set-resources|  \w+: {)", "", path.read_text(), flags=re.M))
    # this Slurm keeps no accounts, and its jobs are shorter than the usual 40 s before the first question about them
    settings |= {"slurm-status-command": "squeue", "slurm-init-seconds-before-status-checks": 1} | changes
    path.write_text(yaml.safe_dump(settings))
    command = [CLI, "reproduce", "--profile", "smoke", "--workflow-profile", path.parent]
    options = {"env": environment | {"PYTHONPATH": str(project)}, "text": True, "start_new_session": True}
    process = subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, **options)
    try:
        _, said = process.communicate(timeout=500)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # Snakemake too
        raise
    command = ["scontrol", "show", "jobs", "--oneliner"]
    lines = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    jobs = [dict(re.findall(r"(\S+?)=(\S+)", line)) for line in lines]
    return process.returncode, said, {job["Comment"]: job for job in jobs if "Comment" in job}


def test_a_job_that_fails_is_named_with_its_log_and_the_workflow_runs_as_jobs_of_slurm(project, slurm):
    obstacle = project / "build" / "smoke" / "store"
    obstacle.parent.mkdir(parents=True)
    obstacle.write_text("no folder")
    code, said, jobs = reproduce(project, slurm, retries=0)
    (log,) = re.findall(r"\S+\.log", message := said.splitlines()[-1])
    assert code == 2 and message.startswith("clapleak: profile smoke did not finish")
    assert re.search(r"^clapleak: \S*store\S*: .*; mend ", (project / log).read_text(), re.MULTILINE)
    assert jobs["rule_store"]["JobState"] == "FAILED"
    obstacle.unlink()
    code, said, jobs = reproduce(project, slurm)
    assert code == 0, said[-3000:]
    for setup in SETUPS:
        assert (project / "build" / "results" / "smoke" / setup.slug / "seed0" / "metrics.json").is_file()
    networks = {f"rule_train_wildcards_{p}-dirty+{p}-clean_seed0" for p in PRETRAININGS}
    assert set(jobs) == networks | {"rule_store"} and {job["JobState"] for job in jobs.values()} == {"COMPLETED"}
    assert {name for name, job in jobs.items() if job.get("TresPerNode") == "gres:gpu:1"} == networks
    assert {job["TimeLimit"] for job in jobs.values()} == {"12:00:00"} and jobs["rule_store"]["NumCPUs"] == "16"
