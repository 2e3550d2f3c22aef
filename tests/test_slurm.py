"""The smoke workflow on a real Slurm of one node, and what is said when one of its jobs fails."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from clapleak.config import SETUPS, find_root

pytestmark = pytest.mark.slow
CLI = str(Path(sys.executable).parent / "clapleak")


@pytest.fixture(scope="module")
def slurm():
    """Environment of a Slurm that is stopped after the tests of this module, even if they are killed."""
    if find_spec("snakemake_executor_plugin_slurm") is None:
        pytest.skip("the extra [cluster] is not installed")
    script = find_root() / "tests" / "slurm" / "single_node.sh"
    command = ["bash", script, "sh", "-c", 'printf "%s\\n" "$SLURM_CONF" "$PATH"; cat']  # cat ends with its stdin
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True) as process:
        settings, path = process.stdout.readline().strip(), process.stdout.readline().strip()
        if not settings:
            pytest.skip(" ".join(process.stderr.read().split()))
        yield os.environ | {"SLURM_CONF": settings, "PATH": path}
        process.stdin.close()
    assert process.returncode == 0
    assert not Path(settings).parent.exists()


def reproduce(project: Path, environment: dict[str, str], **changes: object) -> tuple[int, str]:
    """Exit code and stderr of the smoke workflow by the shipped profile, with its lines about GPUs switched on."""
    path = project / "workflow" / "slurm" / "config.yaml"
    settings = yaml.safe_load(re.sub(r"^#(?=set-resources|  \w+: {)", "", path.read_text(), flags=re.M))
    # this Slurm keeps no accounts, and its jobs are shorter than the usual 40 s before the first question about them
    settings |= {"slurm-status-command": "squeue", "slurm-init-seconds-before-status-checks": 1} | changes
    path.write_text(yaml.safe_dump(settings))
    command = [CLI, "reproduce", "--profile", "smoke", "--workflow-profile", path.parent]
    environment = environment | {"PYTHONPATH": str(project)}
    process = subprocess.Popen(
        command, cwd=project, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
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


def test_a_job_that_fails_is_named_with_its_log(project, slurm):
    obstacle = project / "build" / "smoke" / "store"
    obstacle.parent.mkdir(parents=True)
    obstacle.write_text("no folder")
    code, said = reproduce(project, slurm, retries=0)
    assert code == 2
    message = said.splitlines()[-1]
    (log,) = re.findall(r"\S+\.log", message)
    assert message.startswith("clapleak: profile smoke did not finish")
    assert "FileExistsError" in (project / log).read_text()
    assert jobs(slurm)["rule_store"]["JobState"] == "FAILED"


def test_a_job_that_slurm_refuses_shows_its_words(project, slurm):
    code, said = reproduce(project, slurm, retries=0, **{"default-resources": {"mem_mb": 10**8}})
    assert code == 2
    assert "sbatch: error: Memory specification can not be satisfied" in said


def test_the_workflow_runs_as_jobs_of_slurm(project, slurm):
    before = time.monotonic()
    code, said = reproduce(project, slurm)
    assert code == 0, said[-3000:]
    print(f"smoke workflow on Slurm: {time.monotonic() - before:.0f} s")
    for setup in SETUPS:
        found = json.loads((project / "results" / "smoke" / setup.slug / "seed0" / "metrics.json").read_text())
        assert f"{found['pretraining']}-{found['training']}" == setup.slug
        assert (project / "build" / "smoke" / "pages" / f"setup_{setup.slug}_seed0.ipynb").is_file()
    networks = {f"rule_backbone_wildcards_{name}_seed0" for name in ("dirty", "clean")}
    networks |= {f"rule_setup_wildcards_{setup.slug}_seed0" for setup in SETUPS}
    ran = jobs(slurm)
    assert set(ran) == networks | {"rule_store"}
    assert {job["JobState"] for job in ran.values()} == {"COMPLETED"}
    assert {job["TimeLimit"] for job in ran.values()} == {"12:00:00"}
    assert {name for name, job in ran.items() if job.get("TresPerNode") == "gres:gpu:1"} == networks
    assert ran["rule_store"]["NumCPUs"] == "16"
