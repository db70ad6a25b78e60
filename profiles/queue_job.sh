#!/bin/sh
# properties = {properties}
# What a job of SGE, PBS or HTCondor runs (see src/snakemesh/clusters/queues.py). Snakemake fills in
# the braces. SNAKEMESH_JOB is how the names of the files begin that say how the job has ended.
( {exec_job} ) >"$SNAKEMESH_JOB.log" 2>&1
status=$?
echo $status >"$SNAKEMESH_JOB.part" && mv "$SNAKEMESH_JOB.part" "$SNAKEMESH_JOB.exit"
exit $status
