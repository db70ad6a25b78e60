"""Addresses as Neuroglancer and web servers give them: prefixes, archives, redirects, denials."""

import gzip
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from by_hand import (
    ABSENT,
    json_file,
    ome_group,
    scale,
    translation,
    write_n5,
    write_precomputed,
    write_zarr2,
    write_zarr3,
)
from in_process import level_labels, planned
from snakemesh.errors import UserError
from source_reading import placements, read_source, voxels
from web_server import Denying, Moved, Plain, served

LABELS = np.arange(1, 10 * 12 * 14 + 1, dtype=np.uint32).reshape(10, 12, 14)
LABELS[:8, :8, :8] = 0  # the first chunk, which is not stored
WHOLE = ((20, 8, 8), (110, 104, 204))


def write_zarr(path, write=write_zarr2, version="0.4"):
    write(path / "s0", LABELS)
    (path / "s0" / ("0.0.0" if version == "0.4" else "c/0/0/0")).unlink()
    return ome_group(path, {"s0": [scale(*WHOLE[0]), translation(*WHOLE[1])]}, version=version)


# -- prefixes ---------------------------------------------------------------------------------

PREFIXES = {
    "zarr": ["", "file://", "zarr://", "zarr2://", "zarr://file://"],
    "zarr3": ["", "file://", "zarr://", "zarr3://", "zarr://file://"],
    "n5": ["", "file://", "n5://", "n5://file://"],
    "precomputed": ["", "file://", "precomputed://", "precomputed://file://"],
}
WRITERS = {
    "zarr": write_zarr,
    "zarr3": partial(write_zarr, write=write_zarr3, version="0.5"),
    "n5": partial(write_n5, array=LABELS, resolution=[8, 8, 20]),
    "precomputed": partial(write_precomputed, array=LABELS),
}


def plan_of(path, output):
    """The plan of a run, whose configuration takes away prefixes."""
    return planned({"input_path": path, "output_directory": str(output), "num_lods": 1})


@pytest.mark.parametrize("format", PREFIXES)
def test_prefixes_of_local_paths(format, tmp_path):
    path = WRITERS[format](tmp_path / "a volume")
    (found,) = read_source(path)
    for prefix in [*PREFIXES[format], "file://localhost"]:
        for slash in ("", "/"):
            plan = plan_of(f"{prefix}{path}{slash}", tmp_path / "out")
            assert plan.source == found
    np.testing.assert_array_equal(level_labels(plan, 0), LABELS)


@pytest.mark.parametrize("prefix", ["ftp://", "hdfs://", "zarr://ftp://"])
def test_other_protocols_are_refused(prefix, tmp_path):
    path = write_zarr(tmp_path / "v")
    with pytest.raises(UserError, match="^config key input_path: [^\n]*ftp|hdfs[^\n]*$"):
        voxels(prefix + path, tmp_path / "out")


# -- archives ---------------------------------------------------------------------------------


def zipped(folder, archive, prefix="", method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(archive, "w", method) as file:
        for path in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
            file.write(path, f"{prefix}{path.relative_to(folder)}")
    return str(archive)


@pytest.mark.parametrize(
    ("name", "method", "format"),
    [
        ("v.ozx", zipfile.ZIP_STORED, "zarr3"),
        ("V.OZX", zipfile.ZIP_STORED, "zarr"),
        ("v.zarr.zip", zipfile.ZIP_DEFLATED, "zarr"),
        ("v.zip", zipfile.ZIP_STORED, "zarr"),
    ],
)
def test_archives_are_read(name, method, format, tmp_path):
    path = zipped(WRITERS[format](tmp_path / "v"), tmp_path / name, method=method)
    before = Path(path).read_bytes()
    for given in (path, f"{path}/s0", f"file://{path}"):
        plan = plan_of(given, tmp_path / "out")
        assert (plan.source.voxel_size, plan.source.translation) == WHOLE
        np.testing.assert_array_equal(level_labels(plan, 0), LABELS)
    assert Path(path).read_bytes() == before


def test_an_archive_that_holds_a_folder(tmp_path):
    """As a file manager makes them: the archive holds the folder, and this the volume."""
    path = zipped(write_zarr(tmp_path / "v"), tmp_path / "v.zip", "v.zarr/")
    for given in (path, f"{path}/v.zarr"):
        assert placements(given) == [WHOLE]
        np.testing.assert_array_equal(voxels(given, tmp_path / "out"), LABELS)


def test_what_file_managers_add_to_an_archive(tmp_path):
    path = zipped(write_zarr(tmp_path / "v"), tmp_path / "v.zip", "v.zarr/")
    with zipfile.ZipFile(path, "a") as file:
        for name in ("__MACOSX/v.zarr/._s0", "v.zarr/.DS_Store", "README.txt"):
            file.writestr(name, "x")
    assert placements(path) == [WHOLE]
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)


def test_an_archive_of_several_volumes_names_them(tmp_path):
    for name in ("b.zarr", "a.zarr"):
        write_zarr(tmp_path / "in" / name)
    path = zipped(tmp_path / "in", tmp_path / "v.zip")
    with pytest.raises(UserError, match=f"^config key input_path: {path} [^\n]*: a.zarr, b.zarr;"):
        read_source(path)
    assert placements(f"{path}/a.zarr") == [WHOLE]


@pytest.mark.parametrize("is_link", [False, True])
def test_an_archive_without_its_ending(is_link, tmp_path):
    path = zipped(write_zarr(tmp_path / "v"), tmp_path / "v.ozx")
    other = tmp_path / "seg"
    other.symlink_to(path) if is_link else Path(path).rename(other)
    with pytest.raises(UserError, match="^config key input_path: [^\n]*/seg is a zip[^\n]*rename"):
        read_source(str(other))


def test_a_file_is_called_a_file(tmp_path):
    for name, content in (("v.zip", b"PK no archive"), ("v.tif", b"II*"), ("v.zarr", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match="^config key input_path: [^\n]* file[^\n]*$") as error:
            read_source(str(tmp_path / name))
        assert name in str(error.value)


# -- servers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", WRITERS)
def test_missing_keys_that_are_denied_are_missing(format, tmp_path):
    """Chunks that are not stored are background, also where the server says 403."""
    path = WRITERS[format](tmp_path / "v")
    with served(tmp_path, Denying) as url:
        assert placements(f"{url}/v") == placements(path)
        np.testing.assert_array_equal(voxels(f"{url}/v", tmp_path / "out"), LABELS)


@pytest.mark.parametrize("handler", [Plain, Denying])
@pytest.mark.parametrize("stored", ["/", "."])
def test_chunks_of_zarr_2_whose_separator_is_left_open(stored, handler, tmp_path):
    write_zarr2(tmp_path / "v/s0", LABELS, separator=stored, dimension_separator=ABSENT)
    ome_group(tmp_path / "v", {"s0": [scale(*WHOLE[0]), translation(*WHOLE[1])]})
    with served(tmp_path, handler) as url:
        assert placements(f"{url}/v") == [WHOLE]
        np.testing.assert_array_equal(voxels(f"{url}/v", tmp_path / "out"), LABELS)


@pytest.mark.parametrize("handler", [Plain, Denying])
def test_compressed_files_that_a_server_gives_as_they_are(handler, tmp_path):
    """Neuroglancer's names, which the server has to map to these files."""
    write_precomputed(tmp_path / "v", LABELS, encode=gzip.compress, suffix=".gz")
    match = r"^config key input_path: [^\n]* 8_8_8/8-14_8-12_8-10\.gz, which[^\n]*$"
    with served(tmp_path, handler) as url, pytest.raises(UserError, match=match):
        read_source(f"{url}/v")


def test_the_group_of_labels_on_a_server(tmp_path):
    """Nobody can list a server, but this group lists what is in it."""
    write_zarr(tmp_path / "v/labels/cells")
    json_file(tmp_path / "v/labels/.zgroup", {"zarr_format": 2})
    json_file(tmp_path / "v/labels/.zattrs", {"labels": ["cells"]})
    match = "^config key input_path: [^\n]*labels is not a volume but contains volumes: cells;"
    with served(tmp_path) as url, pytest.raises(UserError, match=match):
        read_source(f"{url}/v/labels")


def test_an_archive_on_a_server(tmp_path):
    zipped(write_zarr(tmp_path / "v"), tmp_path / "v.ozx")
    with served(tmp_path, Plain) as url, pytest.raises(UserError, match="[^\n]*v.ozx; [^\n]* copy"):
        read_source(f"{url}/v.ozx")


@pytest.mark.parametrize("code", [301, 302, 307])
@pytest.mark.parametrize("format", WRITERS)
def test_redirects_are_followed(format, code, tmp_path, monkeypatch):
    monkeypatch.setattr(Moved, "code", code)
    path = WRITERS[format](tmp_path / "new")
    with served(tmp_path, Moved) as url:
        assert placements(f"{url}/old") == placements(path)
        np.testing.assert_array_equal(voxels(f"{url}/old", tmp_path / "out"), LABELS)


def test_a_redirect_in_a_circle_is_refused(tmp_path):
    class Circle(Moved):
        def send_head(self):
            self.path = self.path.replace("/new", "/old")
            return super().send_head()

    refused = pytest.raises(UserError, match="^config key input_path: [^\n]*/old[^\n]*$")
    with served(tmp_path, Circle) as url, refused:
        read_source(f"{url}/old")
