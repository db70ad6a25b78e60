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
- It knows the states PEND, RUN, DONE, EXIT and UNKWN, and logs them.

In LSF, the administrator of a cluster decides what `-R "rusage[mem=...]"` means. Here it is in MB,
counted per slot, and a limit as well as a reservation: a job is killed with TERM_MEMLIMIT if its
processes together are seen to hold more. (LSF itself kills for `-M`; many clusters derive `-M` from
the reservation.) Other requests are noted and not enforced: the time limit of `-W`, and whether a
host has the memory.

It can be told to fail: see the methods of `cluster.Cluster`.
"""
