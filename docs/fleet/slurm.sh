#!/bin/bash
# groupaffinity on every node of a Slurm job, a task a node, and one page of what all of them found.
#
#   sbatch --nodes=16 slurm.sh [FOLDER]
#
# Start it in a folder that all nodes see, with the package installed there (npm install groupaffinity).
#SBATCH --job-name=groupaffinity
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=00:15:00
#SBATCH --output=groupaffinity-%j.txt

results=${1:-groupaffinity-$SLURM_JOB_ID}
mkdir -p "$results" || exit
export results

# Each node's own shell reads these names.
# shellcheck disable=SC2016
one_node='
node=${SLURMD_NODENAME:-$(uname -n)}
npx groupaffinity validate --json > "$results/$node.validate.json"
validated=$?
npx groupaffinity bench --quick --json > "$results/$node.bench.json"
benched=$?
exit $((validated ? validated : benched))'

# srun does not take --cpus-per-task over from sbatch.
cpus=()
if [ -n "$SLURM_CPUS_PER_TASK" ]; then cpus=(--cpus-per-task="$SLURM_CPUS_PER_TASK"); fi

# --cpu-bind=none: the task has all CPUs that the job has on its node, and not the first core alone.
# --kill-on-bad-exit=0 and --wait=0: a node on which a claim fails, or which is slow, ends no other.
srun --ntasks-per-node=1 "${cpus[@]}" --cpu-bind=none --kill-on-bad-exit=0 --wait=0 sh -c "$one_node"
status=$?

npx groupaffinity report --html "$results/report.html" "$results"
reported=$?
exit $((status ? status : reported))
