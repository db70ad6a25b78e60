"""A stand-in for an LSF cluster, for tests. It is not LSF, and no test of LSF itself.

LSF cannot be installed for tests. The stand-in was written from IBM's public documentation of
Spectrum LSF 10.1 (each module names its pages) and from how `snakemake-executor-plugin-lsf` calls
LSF. The plugin uses the commands `bsub`, `bjobs`, `bkill`, `bhist`, `badmin showconf mbd` and
`lsclusters -w`, which are in `bin/`, and the files `lsb.events` and `lsb.params`.

It does these things as LSF does:

- It queues jobs and starts them in the order of submission, on hosts with a fixed number of slots.
- It refuses a `bsub` line that the documentation does not allow (`syntax`).
- It runs the command in a shell with the environment of the submission. It appends a report and the
  output of the job to the file of `-o`.
- It knows the states PEND, RUN, USUSP, DONE, EXIT and UNKWN, and logs them.

Memory is limited as at many sites: a job is killed with TERM_MEMLIMIT if its processes together
are seen to hold more than `-M` says, or without `-M`, more than the queue's default limit. What
`-R "rusage[mem=...]"` reserves is noted and moves no limit. (At other sites the limit is derived
from the reservation.) Numbers without a unit are in the cluster's LSF_UNIT_FOR_LIMITS. Also noted
and not enforced: the time limit of `-W`, and whether a host has the memory.

It can be told to fail: see the methods of `cluster.Cluster`.
"""
