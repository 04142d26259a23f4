#!/bin/sh
# A real SLURM of one machine, for tests: its daemons, without systemd, accounting or control groups.
#   slurm.sh start FOLDER    write its configuration, start munged, slurmctld and slurmd, wait for the node
#   slurm.sh stop FOLDER     end them
# Needs slurm-wlm, munge and root. Who uses it sets SLURM_CONF=FOLDER/slurm.conf and puts FOLDER/bin
# first in PATH. The node has SLURM_TEST_CPUS cores, whatever the machine has.
set -eu
command=$1 folder=$2

start() {
    for program in munged slurmctld slurmd sbatch scontrol; do
        command -v "$program" > /dev/null || {
            echo "slurm.sh: no $program here; apt-get install slurm-wlm munge" >&2
            exit 1
        }
    done
    mkdir -p "$folder/state" "$folder/spool" "$folder/log"
    chmod 700 "$folder"
    # The daemon of credentials, with a key and a socket of its own.
    dd if=/dev/urandom of="$folder/munge.key" bs=1024 count=1 2> /dev/null
    chmod 600 "$folder/munge.key"
    munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
        --pid-file="$folder/munged.pid" --log-file="$folder/log/munged.log" --seed-file="$folder/munge.seed"
    cpus=${SLURM_TEST_CPUS:-$(getconf _NPROCESSORS_ONLN)}
    memory=$(awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
    host=$(hostname -s)
    # Ports that nothing else has, as long as nobody takes them in between.
    ports=$(python3 -c 'import socket
some = [socket.socket() for _ in range(2)]
for one in some: one.bind(("", 0))
print(*(one.getsockname()[1] for one in some))')
    cat > "$folder/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${ports% *}
SlurmdPort=${ports#* }
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MinJobAge=300
MpiDefault=none
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
    # Steps of jobs are started without the variables of SLURM, and so would look for /etc/slurm.
    mkdir -p "$folder/bin"
    printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$folder/slurm.conf" "$(command -v srun)" > "$folder/bin/srun"
    chmod +x "$folder/bin/srun"
    SLURM_CONF="$folder/slurm.conf"
    export SLURM_CONF
    slurmctld
    slurmd
    for _ in $(seq 60); do
        sinfo --noheader --format %T 2> /dev/null | grep -q idle && return
        sleep 0.5
    done
    echo "slurm.sh: the node is not idle after 30 seconds; see $folder/log" >&2
    tail -n 5 "$folder"/log/*.log >&2
    stop
    exit 1
}

stop() {
    for daemon in slurmd slurmctld munged; do
        if test -f "$folder/$daemon.pid"; then kill "$(cat "$folder/$daemon.pid")" || true; fi
    done
}

"$command"
