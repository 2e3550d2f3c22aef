#!/usr/bin/env bash
# Runs a command on a Slurm of one node that is started for it and stopped after it, whatever happens:
#   tests/slurm/single_node.sh clapleak reproduce --profile smoke --workflow-profile workflow/slurm
# Needs root and Debian's slurm-wlm and munge; no systemd, no cgroups, no database, nothing in /etc.
# Ends with the command's exit code, or with 69 and the last lines of the logs where Slurm cannot be started.
set -euo pipefail

(($#)) || { echo "usage: $0 COMMAND..." >&2; exit 64; }
for program in munged slurmctld slurmd sbatch srun squeue scancel; do
  command -v "$program" >/dev/null || { echo "$program is not installed" >&2; exit 69; }
done
[ "$(id -u)" = 0 ] || { echo "Slurm's daemons need root" >&2; exit 69; }

folder=$(mktemp -d) # short, since a socket's path holds at most 107 characters
host=$(hostname -s)
read -r controller node < <(python3 -c '
import socket
held = [socket.create_server(("", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in held))')
export SLURM_CONF=$folder/slurm.conf
unset "${!SLURM_JOB@}" "${!SBATCH_@}" "${!SRUN_@}"
# Snakemake's executor takes SLURM_CONF away from the srun of a job; this srun knows it.
mkdir "$folder"/{bin,state,spool}
printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$SLURM_CONF" "$(command -v srun)" >"$folder/bin/srun"
chmod +x "$folder/bin/srun"
PATH=$folder/bin:$PATH

dd if=/dev/urandom of="$folder/munge.key" bs=128 count=1 status=none
chmod 400 "$folder/munge.key"
# The node's processors, memory and GPUs are declared, not measured: jobs ask for what a cluster has.
cat >"$SLURM_CONF" <<CONF
ClusterName=single
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller
SlurmdPort=$node
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
KillWait=5
EnforcePartLimits=ALL
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=16 RealMemory=64000 Gres=gpu:2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
printf 'Name=gpu File=%s\n' /dev/null /dev/zero >"$folder/gres.conf"

command=
daemons=()
stop() {
  trap '' INT TERM HUP
  if [ -n "$command" ] && kill -INT -- "-$command" 2>/dev/null; then # Snakemake then cancels its jobs
    for _ in {1..20}; do
      kill -0 -- "-$command" 2>/dev/null || break
      sleep 0.5
    done
    kill -KILL -- "-$command" 2>/dev/null || true
  fi
  if scontrol ping >/dev/null 2>&1; then
    scancel --user root || true # or the steps of jobs would outlive the daemons
    for _ in {1..60}; do
      [ -n "$(squeue --noheader 2>/dev/null)" ] || break
      sleep 0.5
    done
  fi
  for ((i = ${#daemons[@]} - 1; i >= 0; i--)); do # munged last
    kill "${daemons[i]}" 2>/dev/null || true
    wait "${daemons[i]}" 2>/dev/null || true
  done
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

munged --foreground --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
  --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" --seed-file="$folder/munged.seed" \
  </dev/null >"$folder/munged.out" 2>&1 &
daemons+=($!)
for _ in {1..50}; do
  [ ! -S "$folder/munge.socket" ] || break
  sleep 0.1
done
slurmctld -D -f "$SLURM_CONF" </dev/null >"$folder/slurmctld.out" 2>&1 &
daemons+=($!)
slurmd -D -f "$SLURM_CONF" </dev/null >"$folder/slurmd.out" 2>&1 &
daemons+=($!)

for _ in {1..60}; do
  [ "$(sinfo --noheader --format=%T 2>/dev/null)" != idle ] || break
  sleep 0.5
done
if ! said=$(timeout 20 srun --immediate=15 echo up 2>&1) || [ "$said" != up ]; then
  echo "Slurm could not be started: $said" >&2
  tail -n 5 "$folder"/*.log >&2
  exit 69
fi

# In the background, so that a signal is answered at once; with -m in a group of its own, so that it reaches all of it.
set -m
"$@" <&0 &
command=$!
set +m
wait "$command"
