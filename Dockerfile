# snakemesh in a container; docs/in-another-workflow.md says how to run it.
FROM python:3.12-slim
COPY . /opt/snakemesh
RUN pip install --no-cache-dir -e /opt/snakemesh
# once here, and not half a minute in each container
RUN python -m snakemesh.compiling 4 bodies measure mesh pyramid verify
WORKDIR /data
ENTRYPOINT ["snakemake", "--snakefile", "/opt/snakemesh/Snakefile"]
