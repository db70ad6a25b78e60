"""A stand-in for an LSF cluster, for tests. It is not LSF, and no test of LSF itself.

LSF cannot be had here. What is here was written from IBM's public documentation of Spectrum LSF
10.1 (pages are named where they are used) and from how `snakemake-executor-plugin-lsf` calls LSF:
the commands `bsub`, `bjobs`, `bkill`, `bhist`, `badmin showconf mbd` and `lsclusters -w`, which are
in `bin/`, and the files `lsb.events` and `lsb.params`.

What it does as LSF does: it queues jobs and starts them in the order they came, on hosts with a
fixed number of slots; it refuses a `bsub` line that the documentation does not allow (`syntax`); it
runs the command in a shell with the environment of its submission, appends what the job wrote and a
report to the file of `-o`, knows the states PEND, RUN, DONE, EXIT and UNKWN, and logs them.

What it decides where LSF leaves it to a cluster's administrator: the memory of
`-R "rusage[mem=...]"` is in MB, counted per slot, and a limit as well as a reservation: a job whose
processes together are seen to hold more is killed, with TERM_MEMLIMIT. (LSF itself kills for `-M`;
many clusters derive that from the reservation.) Everything else that is asked for is written
down and not enforced: the time limit of `-W`, and whether a host has the memory.

It can be told to fail: see the methods of `cluster.Cluster`.
"""
