"""Addresses as Neuroglancer and web servers give them: prefixes, archives, redirects, denials."""

import threading
import zipfile
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from by_hand import (
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


def test_a_file_is_called_a_file(tmp_path):
    for name, content in (("v.zip", b"PK no archive"), ("v.tif", b"II*"), ("v.zarr", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match="^config key input_path: [^\n]* file[^\n]*$") as error:
            read_source(str(tmp_path / name))
        assert name in str(error.value)


# -- servers ----------------------------------------------------------------------------------


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Denying(Quiet):
    """Answers 403 for what is not there, as a bucket does whose keys nobody may list."""

    def send_error(self, code, *_):
        super().send_error(403 if code == 404 else code)


class Moved(Quiet):
    """Sends all who ask for /old to /new."""

    code = 302

    def send_head(self):
        if not self.path.startswith("/old"):
            return super().send_head()
        self.send_response(self.code)
        self.send_header("Location", self.path.replace("/old", "/new", 1))
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None


@contextmanager
def served(folder, handler):
    handler = partial(handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("format", WRITERS)
def test_missing_keys_that_are_denied_are_missing(format, tmp_path):
    """Chunks that are not stored are background, also where the server says 403."""
    path = WRITERS[format](tmp_path / "v")
    with served(tmp_path, Denying) as url:
        assert placements(f"{url}/v") == placements(path)
        np.testing.assert_array_equal(voxels(f"{url}/v", tmp_path / "out"), LABELS)


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
