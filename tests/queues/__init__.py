"""Stand-ins for the commands of SGE, PBS and HTCondor, for tests. They are none of these systems.

They were written from the manuals: qsub(1) and qstat(1) of Grid Engine 6.2, the OpenPBS reference
guide, and condor_submit and condor_q of the HTCondor manual. A job starts at once, as a process of
this machine. The file `limit` of the folder makes that a job is killed which asks for less memory
than it says, in MB. While the file `refuses` is there, all commands fail.
"""
