"""`python -m snakemesh` is the command `snakemesh` of this Python."""

from snakemesh.cli.program import main

if __name__ == "__main__":
    main()
