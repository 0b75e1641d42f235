# Runs a job's command through `cluster.wrap`, e.g. in a container:  bash wrapped.sh WRAP COMMAND...
#
# A container may have neither this job's variables nor SLURM's commands. So the command is given the variables that it
# needs, and a `scontrol` that leaves a note: the requeue is then done here, outside. The last word of COMMAND is
# submitit's folder of this submission, which both sides see.

trap "" USR2  # it announces the end of the job, and would kill a process that has no handler yet
trap : TERM   # what is in the container ends first, and then this
wrap=$1
shift
note=${!#}/requeue-$SLURM_JOB_ID-${SLURM_PROCID:-0}
rm -f "$note"

needed=(TPT_REQUEUE="$note")
while IFS= read -r -d "" variable; do
    case $variable in
    SLURM_JWT=*) ;; # a key
    SLURM* | SUBMITIT* | TPT_* | PYTHONPATH=* | PYTHONSAFEPATH=* | CUDA_VISIBLE_DEVICES=* | ROCR_VISIBLE_DEVICES=* | \
        MASTER_ADDR=* | MASTER_PORT=* | NCCL_* | GLOO_* | OMP_NUM_THREADS=*) needed+=("$variable") ;;
    esac
done < <(env -0)

set -- env "${needed[@]}" sh -c 'PATH=$0:$PATH exec "$@"' "$(dirname "$0")/outside" "$@"
command='"$@"'
eval "${wrap/\{command\}/$command}"
code=$?
if [ -e "$note" ]; then
    rm -f "$note"
    scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
