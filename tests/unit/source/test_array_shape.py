"""Format and shape of an array, whatever its metadata say of its place."""

import numpy as np
import pytest

from by_hand import (
    json_file,
    ome_group,
    scale,
    write_n5,
    write_precomputed,
    write_zarr2,
    write_zarr3,
)
from snakemesh.source.array_shape import format_and_shape

LABELS = np.ones((10, 12, 14), np.uint32)
WRITERS = {"zarr2": write_zarr2, "zarr3": write_zarr3, "n5": write_n5}


@pytest.mark.parametrize("format", WRITERS)
def test_format_and_shape(format, tmp_path):
    assert format_and_shape(WRITERS[format](tmp_path / "v", LABELS)) == (format, (10, 12, 14))


def test_a_scale_has_a_channel(tmp_path):
    path = write_precomputed(tmp_path / "v", LABELS)
    assert format_and_shape(f"{path}/8_8_8") == ("precomputed", (1, 10, 12, 14))


def test_sizes_that_contradict_each_other_do_not_matter(tmp_path):
    """Outdated attributes of an array beside the OME-NGFF metadata, which count."""
    write_zarr2(tmp_path / "v/s0", LABELS)
    json_file(tmp_path / "v/s0/.zattrs", {"resolution": [1, 1, 1], "offset": [5, 5, 5]})
    path = ome_group(tmp_path / "v", {"s0": [scale(20, 8, 8)]})
    assert format_and_shape(f"{path}/s0") == ("zarr2", (10, 12, 14))


def test_no_array(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"no array at {tmp_path}/gone"):
        format_and_shape(str(tmp_path / "gone"))
