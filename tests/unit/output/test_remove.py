import os
import threading
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.errors import UserError
from snakemesh.output.remove import remove_leftovers, remove_tree, remove_views, view_files


@pytest.fixture
def user_data(tmp_path):
    """A folder that is not ours. The test fails if its contents have changed at the end."""
    folder = tmp_path / "user data"
    (folder / "s0" / "0").mkdir(parents=True)
    (folder / "s0" / ".zarray").write_text("{}")
    (folder / "s0" / "0" / "1").write_text("voxels")
    (folder / "notes.txt").write_text("notes")
    before = contents(folder)
    yield folder
    assert contents(folder) == before


def contents(folder):
    return {path: path.read_text() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def ours(tmp_path):
    """A group of levels as a run makes it, but without links."""
    root = tmp_path / "out" / "_intermediate_scales.zarr"
    for name in ("s1", "s2"):
        (root / name / "0" / "0").mkdir(parents=True)
        (root / name / ".zarray").write_text("{}")
        (root / name / "0" / "0" / "0").write_text("voxels")
    (root / ".zgroup").write_text("{}")
    return root


def test_everything_goes_and_nothing_beside_it(ours):
    (ours.parent / "multires").mkdir()
    remove_tree(ours)
    assert os.listdir(ours.parent) == ["multires"]


def test_nothing_there_is_nothing_to_do(tmp_path):
    remove_tree(tmp_path / "none")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("place", [".", "s1", "s1/0", "s1/0/0"])
@pytest.mark.parametrize("target", ["", "s0", "notes.txt", "s0/0/1", "nothing"])
@pytest.mark.parametrize("relative", [False, True])
def test_links_go_and_what_they_point_to_stays(ours, user_data, place, target, relative):
    link = ours / place / "link"
    path = user_data / target
    link.symlink_to(os.path.relpath(path, link.parent) if relative else path)
    assert link.exists() == (target != "nothing")
    remove_tree(ours)
    assert not os.path.lexists(ours)


def test_links_to_links_and_around_in_a_circle(ours, user_data, tmp_path):
    (tmp_path / "way").symlink_to(user_data)
    (ours / "s0").symlink_to(tmp_path / "way" / "s0")
    (ours / "s1" / "up").symlink_to(ours)
    (ours / "itself").symlink_to(ours / "itself")
    (ours / "out").symlink_to("..")
    remove_tree(ours)
    assert not os.path.lexists(ours)
    assert (tmp_path / "way").is_symlink()
    assert ours.parent.is_dir()


def test_a_hard_link_loses_one_name(ours, user_data):
    os.link(user_data / "notes.txt", ours / "s1" / "notes.txt")
    remove_tree(ours)
    assert os.stat(user_data / "notes.txt").st_nlink == 1


@pytest.mark.parametrize("target", ["", "s0", "notes.txt", "nothing"])
def test_a_root_that_is_a_link_is_refused(tmp_path, user_data, target):
    root = tmp_path / "root"
    root.symlink_to(user_data / target)
    with pytest.raises(UserError, match="^[^\n]*is not a folder but a link or a file[^\n]*$"):
        remove_tree(root)
    assert root.is_symlink()


def test_a_root_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "root").write_text("mine")
    with pytest.raises(UserError, match="is not a folder but a link or a file"):
        remove_tree(tmp_path / "root")
    assert (tmp_path / "root").read_text() == "mine"


def test_a_folder_reached_through_a_link_is_removed_itself(tmp_path, ours):
    """Only the root itself must not be a link. A folder on the way to it may be one."""
    (tmp_path / "shortcut").symlink_to(ours.parent)
    remove_tree(tmp_path / "shortcut" / ours.name)
    assert not ours.exists()
    assert ours.parent.is_dir()


trees = st.recursive(
    st.sampled_from(["file", "link"]),
    lambda inner: st.dictionaries(st.sampled_from("abcdefg"), inner, max_size=5),
    max_leaves=25,
)


@settings(deadline=None, max_examples=40)
@given(tree=st.dictionaries(st.sampled_from("abcdefg"), trees, max_size=5))
def test_any_tree_with_links_anywhere(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    mine = folder / "mine"
    mine.mkdir()
    (mine / "file").write_text("mine")

    def make(path, node):
        if node == "file":
            path.write_text("ours")
        elif node == "link":
            path.symlink_to(mine)
        else:
            path.mkdir()
            for name, child in node.items():
                make(path / name, child)

    make(folder / "root", tree)
    remove_tree(folder / "root")
    assert os.listdir(folder) == ["mine"]
    assert contents(mine) == {mine / "file": "mine"}


def test_two_thousand_files_in_parallel(tmp_path, monkeypatch):
    root = tmp_path / "root"
    for folder in range(20):
        (root / str(folder)).mkdir(parents=True)
        for file in range(100):
            (root / str(folder) / str(file)).touch()
    unlink, threads = os.unlink, set()
    # The first two calls of unlink wait for each other. One thread alone would time out here.
    together = threading.Barrier(2, timeout=20)
    first = iter(range(2))

    def seen(path):
        threads.add(threading.get_ident())
        if next(first, None) is not None:
            together.wait()
        unlink(path)

    monkeypatch.setattr(os, "unlink", seen)
    remove_tree(root)
    assert not root.exists()
    assert len(threads) > 1


# -- among the meshes -------------------------------------------------------------------------


def temporary(name):
    return f".{name}.{uuid4().hex}.tmp"


@pytest.mark.parametrize(
    ("wanted", "stale"),
    [
        ({"00.shard", "ff.shard"}, {"0.shard", "1a.shard", "17", "17.index"}),
        ({"17", "17.index"}, {"00.shard", "18", "18.index"}),
        (set(), set()),
    ],
)
def test_leftovers(tmp_path, user_data, wanted, stale):
    kept = wanted | {"info", "README", "notes.tmp", ".hidden.tmp", "my.shard", "1.txt"}
    gone = stale | {temporary("00.shard"), temporary("info"), temporary("17.index")}
    for name in kept | gone:
        (tmp_path / name).write_text(name)
    (tmp_path / "segment_properties").mkdir()
    (tmp_path / "segment_properties" / "info").write_text("{}")
    (tmp_path / "99").symlink_to(user_data / "notes.txt")
    remove_leftovers(tmp_path, wanted)
    assert set(os.listdir(tmp_path)) == kept | {"segment_properties", user_data.name}


def test_the_views_are_removed_and_nothing_else(tmp_path, user_data):
    """A folder of ours that has become a link is a link: what it points to stays."""
    ours = ["overview/mesh.vtk.gz", "centroids/info", "centroids/spatial10/0.shard"]
    ours += ["centroids/by_id/0f.shard", "centroids/spatial0/0.shard"]
    others = ["info", "0.shard", "overview/notes.txt", "centroids/by_id/notes", "centroids/0.shard"]
    half = [f"centroids/segment/{temporary('0.shard')}", f"overview/{temporary('mesh.vtk.gz')}"]
    for name in (*ours, *others, *half):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "centroids" / "spatial1").symlink_to(user_data)
    (tmp_path / "centroids" / "other").symlink_to(user_data)
    assert view_files(tmp_path) == sorted(tmp_path / name for name in ours)
    remove_views(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left - {
        f"{user_data.name}/{name}" for name in ("notes.txt", "s0/.zarray", "s0/0/1")
    } == {*others}
    assert not (tmp_path / "centroids" / "segment").exists()
    assert not (tmp_path / "centroids" / "spatial1").is_symlink()
    assert (tmp_path / "centroids" / "other").is_symlink()


def test_views_behind_a_link_are_left_as_they_are(tmp_path, user_data):
    (tmp_path / "overview").symlink_to(user_data)
    with pytest.raises(UserError, match="overview is not a folder but a link"):
        remove_views(tmp_path)
