"""How tests read the metadata of a source: the one place that names the module."""

from snakemesh.plan.source import read_source

__all__ = ["read_source"]
