import json
from pathlib import Path

import numpy as np
import pytest
import zarr
from cloudvolume import CloudVolume

from by_hand import ome_group, scale, space, translation
from formats import Placed, write_n5, write_precomputed
from object_store import credentials
from snakemesh.chunk_files import stamps
from snakemesh.errors import UserError
from snakemesh.job_records import LevelPart
from snakemesh.source.open_array import open_stored
from snakemesh.source.read import is_local, read_source
from snakemesh.source.voxels import open_part
from web_server import Plain, served

LABELS = np.arange(10 * 20 * 30, dtype=np.uint32).reshape(10, 20, 30)


def write_zarr(path, arrays, levels, version=2, axes="zyx", unit="nanometer"):
    """A group with its arrays, written with zarr-python. Returns its path.

    arrays: by name. levels: (path, scale, translation), ordered as `axes`.
    """
    datasets = {name: [scale(*sizes), translation(*place)] for name, sizes, place in levels}
    ome_group(Path(path), datasets, space(axes, unit), "0.4" if version == 2 else "0.5")
    for name, array in arrays.items():
        chunks = tuple(min(8, n) for n in array.shape)
        zarr.create_array(f"{path}/{name}", data=array, chunks=chunks, zarr_format=version)
    return str(path)


S0 = ("s0", [40, 8, 8], [1020, 4, 2004])
S1 = ("s1", [40, 16, 16], [1020, 8, 2008])
PYRAMID = {"s0": LABELS, "s1": LABELS[:, ::2, ::2]}


@pytest.mark.parametrize("version", [2, 3])
def test_zarr_group(tmp_path, version):
    path = write_zarr(tmp_path / "seg.zarr", PYRAMID, [S0, S1], version)
    fine, coarse = read_source(path)
    assert fine.path == f"{path}/s0"
    assert fine.name is None
    assert (fine.shape, fine.chunks, fine.dtype) == ((10, 20, 30), (8, 8, 8), "uint32")
    assert (fine.voxel_size, fine.translation) == ((40, 8, 8), (1020, 4, 2004))
    assert fine.format == f"zarr{version}"
    assert (coarse.path, coarse.shape) == (f"{path}/s1", (10, 10, 15))
    assert (coarse.voxel_size, coarse.translation) == ((40, 16, 16), (1020, 8, 2008))
    assert is_local(fine)
    np.testing.assert_array_equal(open_stored(coarse.stored).read().result(), PYRAMID["s1"])


def test_finest_first_however_listed_and_named(tmp_path):
    arrays = {"coarse": PYRAMID["s1"], "fine": LABELS}
    levels = [("coarse", *S1[1:]), ("fine", *S0[1:])]
    path = write_zarr(tmp_path / "seg.zarr", arrays, levels)
    assert [Path(level.path).name for level in read_source(path)] == ["fine", "coarse"]


def test_one_level_of_a_group(tmp_path):
    path = write_zarr(tmp_path / "seg.zarr", PYRAMID, [S0, S1])
    assert read_source(f"{path}/s1/") == read_source(path)[1:]


def test_units_other_than_nm(tmp_path):
    level = ("s0", [0.04, 0.008, 0.008], [1.02, 0.004, 2.004])
    path = write_zarr(tmp_path / "seg.zarr", {"s0": LABELS}, [level], unit="micrometer")
    (found,) = read_source(path)
    assert found.voxel_size == pytest.approx((40, 8, 8))
    assert found.translation == pytest.approx((1020, 4, 2004))


def test_no_voxel_is_read(tmp_path):
    path = write_zarr(tmp_path / "seg.zarr", PYRAMID, [S0, S1], version=3)
    expected = read_source(path)
    chunks = [file for file in Path(path).rglob("c/**/*") if file.is_file()]
    assert len(chunks) == 24 + 8
    for chunk in chunks:
        chunk.write_bytes(b"not a chunk")
    assert read_source(path) == expected


def test_shards_are_not_chunks(tmp_path):
    path = write_zarr(tmp_path / "seg.zarr", {}, [S0], version=3)
    zarr.create_array(f"{path}/s0", data=LABELS, chunks=(4, 4, 4), shards=(16, 16, 16))
    (level,) = read_source(path)
    assert level.chunks == (4, 4, 4)


def test_a_bare_array_needs_its_voxel_size(tmp_path):
    zarr.create_array(tmp_path / "seg.zarr", data=LABELS, chunks=(8, 8, 8), zarr_format=2)
    with pytest.raises(UserError, match="^config key voxel_size_nm: [^\n]*seg.zarr[^\n]*$"):
        read_source(str(tmp_path / "seg.zarr"))
    (level,) = read_source(str(tmp_path / "seg.zarr"), (40, 8.0, 4))
    assert level.voxel_size == (40, 8, 4)
    assert level.translation == (20, 4, 2)  # the corner of the volume is at the origin
    assert all(type(v) is float for v in (*level.voxel_size, *level.translation))


def test_a_voxel_size_replaces_what_the_metadata_say(tmp_path):
    path = write_zarr(tmp_path / "seg.zarr", PYRAMID, [S0, S1])
    (level,) = read_source(path, (30, 5, 5))
    assert level.path == f"{path}/s0"
    assert (level.voxel_size, level.translation) == ((30, 5, 5), (15, 2.5, 2.5))


def test_n5(tmp_path):
    write_n5(tmp_path / "seg.n5", [Placed(LABELS, (40, 8, 8), (0, 0, 0), (4, 8, 16))])
    (level,) = read_source(str(tmp_path / "seg.n5"))
    assert (level.shape, level.chunks, level.format) == ((10, 20, 30), (4, 8, 16), "n5")
    assert (level.voxel_size, level.translation) == ((40, 8, 8), (20, 4, 4))
    np.testing.assert_array_equal(open_stored(level.stored).read().result(), LABELS)


CORNER = (7 * 40, 4 * 8, 6 * 8)
SCALES = [
    Placed(LABELS, (40, 8, 8), CORNER, (4, 8, 16)),
    Placed(LABELS[:, ::2, ::2], (40, 16, 16), CORNER, (4, 8, 16)),
]


@pytest.mark.parametrize("prefix", ["", "precomputed://"])
def test_precomputed(tmp_path, prefix):
    path = write_precomputed(tmp_path / "seg", SCALES)
    fine, coarse = read_source(prefix + path)
    assert (fine.shape, fine.chunks, fine.format) == ((10, 20, 30), (4, 8, 16), "precomputed")
    assert fine.voxel_size == (40, 8, 8)
    assert fine.translation == (7.5 * 40, 4.5 * 8, 6.5 * 8)
    assert coarse.translation == (7.5 * 40, 2.5 * 16, 3.5 * 16)
    for level, expected in ((fine, LABELS), (coarse, LABELS[:, ::2, ::2])):
        found = open_stored(level.stored).read().result()
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("compress", ["gzip", "br"])
def test_precomputed_chunks_that_are_compressed_files(tmp_path, compress):
    """cloud-volume names them <chunk>.gz; taken as they are named, all voxels would be 0."""
    info = CloudVolume.create_new_info(
        1, "segmentation", "uint32", "raw", (8, 8, 8), (0, 0, 0), (20, 20, 20), chunk_size=(16,) * 3
    )
    url = f"file://{tmp_path}/seg"
    volume = CloudVolume(url, info=info, compress=compress, progress=False)
    volume.commit_info()
    volume[:, :, :] = np.ones((20, 20, 20, 1), np.uint32)
    (level,) = read_source(str(tmp_path / "seg"))
    found = open_stored(level.stored).read().result()
    np.testing.assert_array_equal(found, np.ones((20, 20, 20)))
    assert stamps(level.files, ((0, 0, 0), level.files.grid)).all()
    plain = CloudVolume(f"{url}2", info=info, compress=False, progress=False)
    plain.commit_info()
    plain[:, :, :] = np.ones((20, 20, 20, 1), np.uint32)
    assert read_source(str(tmp_path / "seg2"))[0].files is not None


def test_one_scale_of_precomputed(tmp_path):
    path = write_precomputed(tmp_path / "seg", SCALES)
    assert read_source(f"{path}/16_16_40") == read_source(path)[1:]
    with pytest.raises(UserError, match="config key input_path"):
        read_source(f"{path}/mesh")


def test_over_http(tmp_path):
    write_zarr(tmp_path / "seg.zarr", PYRAMID, [S0, S1])
    with served(tmp_path) as url:
        levels = read_source(f"{url}/seg.zarr")
        voxels = open_stored(levels[1].stored).read().result()
    assert [level.voxel_size for level in levels] == [(40, 8, 8), (40, 16, 16)]
    assert not is_local(levels[0])
    np.testing.assert_array_equal(voxels, PYRAMID["s1"])


class Closed(Plain):
    """A server that allows nobody to read."""

    def do_GET(self):
        self.send_error(403)


@pytest.mark.parametrize("address", ["{}/seg.zarr", "s3://closed/seg.zarr"])
def test_what_may_not_be_read_is_said_in_a_line(monkeypatch, tmp_path, address):
    with served(tmp_path, Closed) as url:
        for name, value in credentials(url).items():
            monkeypatch.setenv(name, value)
        path = address.format(url)
        with pytest.raises(
            UserError, match=f"^config key input_path: access to {path} was denied[^\n]*$"
        ):
            read_source(path)


# -- axes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [2, 3])
def test_axes_of_length_one_in_front(tmp_path, version):
    level = ("s0", [1, 1, 40, 8, 8], [0, 0, 1020, 4, 2004])
    arrays = {"s0": LABELS[None, None]}
    path = write_zarr(tmp_path / "seg.zarr", arrays, [level], version, axes="tczyx")
    (found,) = read_source(path)
    assert (found.shape, found.chunks) == ((10, 20, 30), (8, 8, 8))
    assert (found.voxel_size, found.translation) == ((40, 8, 8), (1020, 4, 2004))
    np.testing.assert_array_equal(open_stored(found.stored).read().result(), LABELS)
    store = open_part(LevelPart(found.path, None, (2, 3, 4), (5, 6, 7), stored=found.stored))
    np.testing.assert_array_equal(store.read().result(), LABELS[2:7, 3:9, 4:11])


@pytest.mark.parametrize(
    ("shape", "axes", "index", "said"),
    [
        ((20, 30), "yx", {}, r"input_path: .* axes y x of \(20, 30\) voxels, expected z y x"),
        ((10, 20, 30), "tyx", {}, "input_path: .* axes t y x of"),
        ((2, 10, 20, 30), "czyx", {}, "index: .* 2 positions along c .* such as index: {c: 0}"),
        ((2, 10, 20, 30), "czyx", {"c": 2}, "index: found c: 2, expected at most 1"),
        ((10, 20, 30), "zyx", {"t": 0}, "index: found axis t, but .* has none besides z, y and x"),
        ((1, 10, 20, 30), "czyx", {"t": 0}, "index: found axis t, but .* only has c besides"),
    ],
)
def test_axes_that_are_refused(tmp_path, shape, axes, index, said):
    level = ("s0", [1] * len(shape), [0] * len(shape))
    arrays = {"s0": np.zeros(shape, np.uint8)}
    path = write_zarr(tmp_path / "seg.zarr", arrays, [level], axes=axes)
    with pytest.raises(UserError, match=f"^config key {said}[^\n]*$"):
        read_source(path, index=index)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("axes", ["xyz", "zyxc", "cxyz", "zcyx", "tczyx", "ZYX", "yTxz"])
def test_axes_in_any_order(tmp_path, axes, version):
    """Every voxel is where the metadata say. Of five times, one is chosen."""
    index = {"t": 3} if "t" in axes.lower() else {}
    spare = {"c": 1, "t": 5}
    length = spare | dict(zip("zyx", LABELS.shape, strict=True))
    names = axes.lower()
    stored = np.zeros([length[name] for name in names], np.uint32)
    place = tuple(index.get(name, 0) if name in spare else slice(None) for name in names)
    stored[place] = LABELS.transpose(["zyx".index(name) for name in names if name in "zyx"])
    size, centre = (dict(zip("zyx", values, strict=True)) for values in S0[1:])
    level = ("s0", [size.get(n, 1) for n in names], [centre.get(n, 0) for n in names])
    path = write_zarr(tmp_path / "seg.zarr", {"s0": stored}, [level], version, axes=axes)
    (found,) = read_source(path, index=index)
    assert (found.shape, found.chunks) == ((10, 20, 30), (8, 8, 8))
    assert (found.voxel_size, found.translation) == ((40, 8, 8), (1020, 4, 2004))
    np.testing.assert_array_equal(open_stored(found.stored).read().result(), LABELS)
    assert stamps(found.files, ((0, 0, 0), found.files.grid)).all()


@pytest.mark.parametrize("dtype", ["complex64", "S4"])
def test_what_is_not_labels_is_refused(tmp_path, dtype):
    arrays = {"s0": np.zeros((4, 4, 4), dtype)}
    path = write_zarr(tmp_path / "seg.zarr", arrays, [S0])
    with pytest.raises(UserError, match="^config key input_path: .*holds [^\n]* of bool[^\n]*$"):
        read_source(path)


def test_no_voxels(tmp_path):
    path = write_zarr(tmp_path / "seg.zarr", {}, [S0])
    zarr.open_group(path).create_array("s0", shape=(4, 0, 4), chunks=(4, 4, 4), dtype="u1")
    with pytest.raises(UserError, match="^config key input_path: .* has no voxels"):
        read_source(path)


def test_nothing_there(tmp_path):
    with pytest.raises(UserError, match="^config key input_path: found no zarr, N5 .*/nothing$"):
        read_source(str(tmp_path / "nothing"))


@pytest.mark.parametrize("document", ['{"shape": [4,\n4', '{"zarr_format": 2}'])
def test_broken_metadata_in_a_line(tmp_path, document):
    (tmp_path / ".zarray").write_text(document)
    with pytest.raises(UserError, match="^config key input_path: the metadata of [^\n]*$"):
        read_source(str(tmp_path))


def test_an_empty_group(tmp_path):
    zarr.create_group(tmp_path / "seg.zarr", zarr_format=2)
    with pytest.raises(UserError, match="^config key input_path: [^\n]*no levels found[^\n]*$"):
        read_source(str(tmp_path / "seg.zarr"))


# -- voxels -----------------------------------------------------------------------------------


def test_the_part_that_is_meshed_begins_at_zero(tmp_path):
    path = write_zarr(tmp_path / "seg.zarr", {"s0": LABELS}, [S0])
    store = open_part(LevelPart(f"{path}/s0", None, (2, 0, 8), (8, 20, 15)))
    assert store.domain.origin == (0, 0, 0)
    np.testing.assert_array_equal(store[1:4].read().result(), LABELS[3:6, :, 8:23])


def test_a_level_that_is_listed_but_absent(tmp_path):
    levels = [S0, ("s1", [80, 16, 16], [1040, 8, 2008])]
    path = write_zarr(tmp_path / "seg.zarr", {"s0": LABELS}, levels)
    fine, coarse = read_source(path)
    assert (fine.unusable, coarse.voxel_size) == ("", (80, 16, 16))
    assert coarse.unusable.startswith(f"{path} lists level s1, which is not there")
    finer = [("s-1", [20, 8, 8], [1010, 4, 2004]), S0]
    path = write_zarr(tmp_path / "other.zarr", {"s0": LABELS}, finer)
    with pytest.raises(UserError, match="^config key input_path: .* lists level s-1, which is not"):
        read_source(path)
    with pytest.raises(UserError, match="^config key input_path: .* lists level s-1, which is not"):
        read_source(path, (40, 8, 8))


@pytest.mark.parametrize("number", [0, 1])
def test_a_scale_of_an_encoding_that_is_not_read(tmp_path, number):
    path = write_precomputed(tmp_path / "seg", SCALES)
    document = Path(path, "info")
    info = json.loads(document.read_text())
    info["scales"][number]["encoding"] = "crackle"
    document.write_text(json.dumps(info))
    with pytest.raises(UserError, match="in the encoding 'crackle'"):
        read_source(path)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("version", [2, 3])
def test_the_labels_of_an_image_are_named(tmp_path, version, listed):
    path = write_zarr(tmp_path / "image.zarr", {"s0": LABELS}, [S0], version)
    labels = zarr.open_group(path, mode="r+").create_group("labels")
    for name in ("cells", "nuclei"):
        write_zarr(f"{path}/labels/{name}", {"s0": LABELS}, [S0], version)
    if listed:
        names = {"labels": ["cells", "nuclei"]}
        labels.attrs.update(names if version == 2 else {"ome": names})
    with pytest.raises(UserError, match="labels are in labels/cells, labels/nuclei; give"):
        read_source(path)
    assert read_source(f"{path}/labels/cells")
    assert read_source(f"{path}/s0")
    with pytest.raises(
        UserError, match="/labels is not a volume but contains volumes: cells, nuclei; give"
    ):
        read_source(f"{path}/labels")


def test_levels_in_a_group_called_labels(tmp_path):
    path = write_zarr(tmp_path / "seg.zarr", {"labels/s0": LABELS}, [("labels/s0", *S0[1:])])
    assert [level.shape for level in read_source(path)] == [LABELS.shape]


@pytest.mark.parametrize("is_group", [True, False])
def test_a_folder_of_volumes_names_them(tmp_path, is_group):
    if is_group:
        zarr.create_group(tmp_path / "all", zarr_format=2)
    for name in ("b", "a"):
        write_zarr(tmp_path / "all" / name, {"s0": LABELS}, [S0])
    with pytest.raises(
        UserError, match="^config key input_path: .*/all is not .* contains volumes: a, b; "
    ):
        read_source(str(tmp_path / "all"))


@pytest.mark.parametrize(
    "change",
    [
        {"compressor": {"id": "unheard of"}},
        {"filters": [{"id": "delta"}]},
        {"shape": [10.0, 20, 30]},
        {"shape": [True, 20, 30]},
        {"chunks": [0, 8, 8]},
        {"chunks": [8, 8]},
        {"dtype": None},
        {"dtype": [["a", "<u4"]]},
        {"order": "Z"},
        {"fill_value": "many"},
    ],
)
def test_an_array_that_no_job_could_open(tmp_path, change):
    path = write_zarr(tmp_path / "seg.zarr", {"s0": LABELS}, [S0])
    document = Path(path, "s0", ".zarray")
    document.write_text(json.dumps(json.loads(document.read_text()) | change))
    with pytest.raises(UserError, match="^config key input_path: [^\n]*seg.zarr[^\n]*$"):
        read_source(path)


def test_a_position_that_leaves_voxels_no_room(tmp_path):
    path = write_zarr(tmp_path / "seg.zarr", {"s0": LABELS}, [("s0", [0.01] * 3, [1e14] * 3)])
    with pytest.raises(UserError, match="^config key translation_nm: .* too far off for voxels"):
        read_source(path)


def test_the_finest_level_without_sizes_is_the_largest(tmp_path):
    levels = [("s1", [float("nan")] * 3, [0] * 3), ("s0", [float("nan")] * 3, [0] * 3)]
    path = write_zarr(tmp_path / "seg.zarr", PYRAMID, levels)
    (level,) = read_source(path, (40, 8, 8))
    assert level.shape == LABELS.shape


@pytest.mark.parametrize("size", [0.0, -8.0, float("nan"), float("inf"), 1e-300, 1e308])
def test_sizes_that_no_voxel_has(tmp_path, size):
    level = ("s0", [size, 8, 8], [1020, 4, 2004])
    path = write_zarr(tmp_path / "seg.zarr", {"s0": LABELS}, [level])
    with pytest.raises(UserError, match="^config key (voxel_size_nm|input_path): [^\n]*$"):
        read_source(path)
