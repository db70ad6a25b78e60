import os

import pytest

from snakemesh.errors import DamagedError
from snakemesh.output.markers import discard_if_damaged, read_marker, remove_markers, write_marker


def test_a_marker_says_what_was_written(tmp_path):
    path = tmp_path / "new" / "a.done"
    write_marker(path, {"size": 3, "names": ["x"]})
    assert read_marker(path) == {"size": 3, "names": ["x"]}
    assert os.listdir(path.parent) == ["a.done"]


@pytest.mark.parametrize("content", [b"", b"\0\0\0", b"{", b"[1]", b"\xff"])
def test_a_damaged_marker_says_nothing(tmp_path, content):
    (tmp_path / "a.done").write_bytes(content)
    assert read_marker(tmp_path / "a.done") is None
    assert read_marker(tmp_path / "b.done") is None


def test_markers_of_one_box_go_and_others_stay(tmp_path):
    for name in ("0_0_1.aa.done", "0_0_1.bb.done", "0_0_11.aa.done", "10_0_1.aa.done"):
        write_marker(tmp_path / name, {})
    remove_markers(tmp_path, "0_0_1.*.done")
    assert sorted(os.listdir(tmp_path)) == ["0_0_11.aa.done", "10_0_1.aa.done"]
    remove_markers(tmp_path / "nowhere", "*.done")


def test_what_is_damaged_goes_with_what_vouches_for_it(tmp_path):
    for name in ("marker", "product", "another"):
        (tmp_path / name).write_text("x")
    with (
        pytest.raises(DamagedError),
        discard_if_damaged([str(tmp_path / "marker"), str(tmp_path / "no")]),
    ):
        raise DamagedError(tmp_path / "product", "is cut")
    assert os.listdir(tmp_path) == ["another"]


def test_folders_and_other_errors_are_left_alone(tmp_path):
    (tmp_path / "marker").write_text("x")
    with pytest.raises(ValueError), discard_if_damaged([str(tmp_path / "marker")]):
        raise ValueError("another error")
    assert (tmp_path / "marker").exists()
    (tmp_path / "level").mkdir()
    with pytest.raises(DamagedError), discard_if_damaged([]):
        raise DamagedError(tmp_path / "level", "cannot be read")
    assert (tmp_path / "level").is_dir()


def test_every_folder_that_loses_a_marker_is_synced(tmp_path, monkeypatch):
    """And the folder of the markers even where Snakemake has removed them before."""
    synced = []
    monkeypatch.setattr("snakemesh.output.markers.sync", synced.append)
    for name in ("levels.aa.done", "stage0/0_0_1.aa.done", "stage1/0_0_1.aa.done"):
        write_marker(tmp_path / name, {})
    remove_markers(tmp_path, "**/*.done")
    assert sorted(synced) == [tmp_path, tmp_path / "stage0", tmp_path / "stage1"]
    synced.clear()
    remove_markers(tmp_path, "levels.*.done")
    assert synced == [tmp_path]
