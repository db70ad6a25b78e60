"""What a volume is called: by its metadata, or by the end of its path that says something."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from formats import Placed, write_zarr
from snakemesh.source.read import read_source
from snakemesh.source.volume_name import volume_name
from volumes import volume


@pytest.mark.parametrize(
    ("given", "path", "name"),
    [
        ("", "/data/pinky40_256.zarr", "pinky40_256"),
        ("pinky40", "/data/x.zarr", "pinky40"),
        ("seg", "/data/pinky40.zarr", "pinky40"),
        ("/labels/cells", "/data/embryo.ome.zarr/labels/cells", "cells"),
        ("", "example/segmentation.zarr", "example/segmentation"),
        ("", "gs://lab/mouse/segmentation/s0", "mouse/segmentation/s0"),
        ("", "/data/mouse.zarr/labels/0/", "mouse/labels/0"),
        ("", "s3://bucket/", "bucket"),
        ("", "seg.zarr", "seg"),
        ("  Cells of E. coli ", "x.zarr", "Cells of E. coli"),
        ("", "brain.OME.ZARR.zip", "brain"),
    ],
)
def test_a_volume_has_a_name(given, path, name):
    (level,) = volume((8, 8, 8))
    assert volume_name(replace(level, given_name=given), path) == name


@pytest.mark.parametrize("name", ["pinky40", None, 7, ["a"]])
def test_the_name_is_that_of_the_metadata(tmp_path, name):
    labels = np.ones((8, 8, 8), np.uint32)
    path = Path(write_zarr(tmp_path / "a.zarr", [Placed(labels, (8.0,) * 3, (0.0,) * 3, (8,) * 3)]))
    attributes = path / ".zattrs"
    document = json.loads(attributes.read_text())
    document["multiscales"][0]["name"] = name
    attributes.write_text(json.dumps(document))
    level = read_source(str(path))[0]
    assert level.given_name == (name if isinstance(name, str) else "")
    array = read_source(str(path / "s0"))[0]  # the array alone, which the group names
    assert array.given_name == level.given_name
