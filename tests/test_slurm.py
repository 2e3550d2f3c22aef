"""The smoke workflow on a real Slurm of one node, and what is said when one of its jobs fails."""

import json
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
from clapleak.setups import SETUPS

pytestmark = pytest.mark.slow
CLI = str(Path(sys.executable).parent / "clapleak")


@pytest.fixture(scope="module")
def slurm():
    """Environment of a Slurm that is stopped after the tests of this module, even if they are killed.

    Where Slurm is installed it must start; in continuous integration (variable CI) it must be installed.
    """
    if find_spec("snakemake_executor_plugin_slurm") is None or not shutil.which("slurmctld"):
        assert not os.environ.get("CI"), "Slurm or its executor is not installed"
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


def reproduce(project: Path, environment: dict[str, str], **changes: object) -> tuple[int, str]:
    """Exit code and stderr of the smoke workflow by the shipped profile, with its lines about GPUs switched on."""
    path = project / "workflow" / "slurm" / "config.yaml"
    settings = yaml.safe_load(re.sub(r"^#(?=set-resources|  \w+: {)", "", path.read_text(), flags=re.M))
    # this Slurm keeps no accounts, and its jobs are shorter than the usual 40 s before the first question about them
    settings |= {"slurm-status-command": "squeue", "slurm-init-seconds-before-status-checks": 1} | changes
    path.write_text(yaml.safe_dump(settings))
    command = [CLI, "reproduce", "--profile", "smoke", "--workflow-profile", path.parent]
    environment = environment | {"PYTHONPATH": str(project)}
    options = {"cwd": project, "env": environment, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    process = subprocess.Popen(command, **options)
    try:
        _, said = process.communicate(timeout=500)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # Snakemake too
        raise
    return process.returncode, said


def jobs(environment: dict[str, str]) -> dict[str, dict[str, str]]:
    """What Slurm knows of each job that Snakemake sent, by its comment."""
    command = ["scontrol", "show", "jobs", "--oneliner"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    found = [dict(re.findall(r"(\S+?)=(\S+)", line)) for line in said.splitlines()]
    return {job["Comment"]: job for job in found if "Comment" in job}


def test_a_job_that_fails_or_is_refused_is_named_with_its_log(project, slurm):
    obstacle = project / "build" / "smoke" / "store"
    obstacle.parent.mkdir(parents=True)
    obstacle.write_text("no folder")
    code, said = reproduce(project, slurm, retries=0)
    (log,) = re.findall(r"\S+\.log", message := said.splitlines()[-1])
    assert code == 2 and message.startswith("clapleak: profile smoke did not finish")
    assert "FileExistsError" in (project / log).read_text() and jobs(slurm)["rule_store"]["JobState"] == "FAILED"
    code, said = reproduce(project, slurm, retries=0, **{"default-resources": {"mem_mb": 10**8}})
    assert code == 2 and "sbatch: error: Memory specification can not be satisfied" in said


def test_the_workflow_runs_as_jobs_of_slurm(project, slurm):
    code, said = reproduce(project, slurm)
    assert code == 0, said[-3000:]
    for setup in SETUPS:
        found = json.loads((project / "build/results/smoke" / setup.slug / "seed0" / "metrics.json").read_text())
        assert f"{found['pretraining']}-{found['training']}" == setup.slug
    networks, ran = {f"rule_train_wildcards_setups_{name}_seed0" for name in ("dirty", "clean", "none")}, jobs(slurm)
    assert set(ran) == networks | {"rule_store"} and {job["JobState"] for job in ran.values()} == {"COMPLETED"}
    assert {name for name, job in ran.items() if job.get("TresPerNode") == "gres:gpu:1"} == networks
    assert {job["TimeLimit"] for job in ran.values()} == {"12:00:00"} and ran["rule_store"]["NumCPUs"] == "16"
