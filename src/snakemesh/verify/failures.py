"""What fails, by kind: how often, and the first few cases in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# How many failures of each kind are named.
MOST_NAMED = 10
# By kind, its line in the table, in the order of the table.
KINDS = {
    "files": "files are what was written, and can be read",
    "labels": "every label of the volume has a mesh, and no other",
    "levels": "levels of the input have only labels that its s0 has there",
    "fragments": "every fragment decodes",
    "cells": "fragments lie in their cells",
    "octants": "triangles do not cross the octants of their cell",
    "tree": "ancestors and children are listed, LODs complete and in order",
    "closed": "welded surfaces are closed",
    "manifold": "nearly all surfaces are manifolds",
    "volumes": "volumes and centroids are those of the voxels",
    "properties": "the tables say what the meshes are",
}


@dataclass
class Failures:
    """Cases by kind: `count` of all, `named` the first MOST_NAMED in words."""

    count: dict[str, int] = field(default_factory=dict)
    named: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, case: str) -> None:
        """Add a case of a kind of KINDS."""
        self.merge({"count": {kind: 1}, "named": {kind: [case]}})

    def merge(self, other: Mapping[str, Any]) -> None:
        """Add the cases of another part, as `asdict` makes them."""
        for kind, number in other["count"].items():
            self.count[kind] = self.count.get(kind, 0) + number
            named = self.named.setdefault(kind, [])
            named += other["named"][kind][: MOST_NAMED - len(named)]
