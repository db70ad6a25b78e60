"""Submits a job to SGE, PBS or HTCondor, or says how it is: for the profiles of these clusters.

python -m snakemesh.clusters.queue_command sge submit MEMORY_MB MINUTES CORES [OPTION ...] SCRIPT
python -m snakemesh.clusters.queue_command sge status NUMBER
"""

import sys

from snakemesh.clusters import queues

_, queue, what, *arguments = sys.argv
if what == "status":
    print(queues.status(queue, arguments[0]))
    sys.exit()
memory_mb, minutes, cores, *options, script = arguments
try:
    print(queues.submit(queue, int(memory_mb), int(minutes), int(cores), options, script))
except (RuntimeError, OSError) as error:
    print(error, file=sys.stderr)
    sys.exit(1)
