"""`snakemesh view --publish`: a folder that any web server shows."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from neuroglancer_page import chromium, drawn, errors, evaluated, needed, not_found, serving
from running import digests
from snakemesh.cli.program import main
from web_server import served

PREFIX = "a/b"


def published(output: Path, folder: Path, capsys, *words: str) -> str:
    """What the command says after it has published an output."""
    main(["view", str(output), "--publish", str(folder), *words])
    return capsys.readouterr().out


def refused(output: Path, folder: Path, capsys, *words: str) -> str:
    """The last line of the command where it fails."""
    with pytest.raises(SystemExit) as ended:
        main(["view", str(output), "--publish", str(folder), *words])
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.fixture
def output(multires, tmp_path) -> Path:
    """A finished output that a test may change."""
    return shutil.copytree(multires.parent, tmp_path / "out", symlinks=True)


def address(server, prefix: str = PREFIX) -> str:
    return f"http://127.0.0.1:{server.server_port}/{prefix}/index.html"


@needed
def test_a_browser_draws_the_meshes_from_a_folder_of_a_site(multires, tmp_path, capsys):
    """Below a path of the site, and with no request that leaves it."""
    site = tmp_path / "site"
    published(multires.parent, site, capsys)
    with chromium(tmp_path / "profile") as browser, serving({PREFIX: site}) as server:
        browser.get(address(server))
        evaluated(browser, "return window.viewer?.layerManager.managedLayers.length || null")
        picture = drawn(browser, selectedLayer={"visible": False})
        assert (np.ptp(picture, axis=-1) > 60).sum() > 2000
        assert f"/{PREFIX}/v/view/index.html#!" in browser.current_url
        assert browser.find_elements("id", "notice") == []
        assert browser.execute_script("return document.title").startswith(multires.parent.name)
        asked = {request.path for request in server.asked} - {"/favicon.ico"}
        assert all(path.startswith(f"/{PREFIX}/") for path in asked)
        assert not_found(server) <= {"favicon.ico"}
        assert any(path.endswith(".shard") and status == 206 for path, _, status in server.asked)
        assert f"/{PREFIX}/multires/overview/mesh.vtk.gz" in asked
        failed = (line["message"] for line in browser.get_log("browser"))
        assert all("127.0.0.1" in line for line in failed if "Failed to load" in line)
        assert errors(browser) == []


@needed
def test_a_server_without_ranges_is_named_as_the_reason(multires, tmp_path, capsys):
    """And so are a folder that was copied in part, and a page that is opened from the disk."""
    site = tmp_path / "site"
    published(multires.parent, site, capsys)
    show = "return document.getElementById('notice')?.textContent || null"
    with chromium(tmp_path / "profile") as browser:
        with served(site) as url:
            browser.get(f"{url}/index.html")
            assert "this server ignores Range requests" in evaluated(browser, show)
            for shard in (site / "multires").glob("*.shard"):
                shard.unlink()
            browser.get(f"{url}/v/view/index.html?again")
            assert "multires/0.shard cannot be read (404)" in evaluated(browser, show)
        browser.get(f"file://{site}/v/view/index.html")
        assert "snakemesh view FOLDER" in evaluated(browser, show)


def test_the_folder_has_all_and_nothing_else(multires, tmp_path, capsys):
    site = tmp_path / "new" / "site"
    said = published(multires.parent, site, capsys)
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    meshes = {f"multires/{path.relative_to(multires)}" for path in multires.rglob("*.*")}
    assert meshes | {"multires/info", "index.html", "published.json", "v/view/LICENSE"} <= files
    assert all(
        name.startswith(("multires/", "v/view/"))
        for name in files - {"index.html", "published.json"}
    )
    assert not any(name.endswith(".map") for name in files)
    assert "Apache License" in (site / "v/view/LICENSE").read_text()
    assert digests(site / "multires") == digests(multires)
    assert said.startswith(f"Published {site}: ") and "The voxels are not shown" in said
    page = (site / "v/view/index.html").read_text()
    assert '"precomputed://./multires"' in page and str(tmp_path) not in page


def test_a_copy_of_the_volume_is_shown(multires, tmp_path, capsys):
    address = "https://example.org/volume.zarr"
    said = published(multires.parent, tmp_path / "site", capsys, "--volume", address)
    assert "voxels" not in said
    assert f'"zarr2://{address}"' in (tmp_path / "site/v/view/index.html").read_text()


def test_a_second_call_updates_what_the_first_one_wrote(output, tmp_path, capsys):
    site = tmp_path / "site"
    published(output, site, capsys)
    first = digests(site)
    dates = {path: path.stat().st_mtime_ns for path in site.rglob("*.shard")}
    (site / "CNAME").write_text("example.org")  # of the user
    (site / "multires/old").mkdir()
    (site / "multires/old/1.shard").write_text("of an earlier version")
    known = json.loads((site / "published.json").read_text())
    known["files"].append("multires/old/1.shard")
    (site / "published.json").write_text(json.dumps(known))
    (site / "multires/info").write_text("{")  # damaged: of another size
    published(output, site, capsys)
    assert (site / "CNAME").read_text() == "example.org"
    (site / "CNAME").unlink()
    assert digests(site) == first and not (site / "multires/old").exists()
    assert {path: path.stat().st_mtime_ns for path in site.rglob("*.shard")} == dates


def test_a_folder_of_others_is_left_alone(multires, tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    assert "holds something else" in refused(multires.parent, mine, capsys)
    (mine / "published.json").write_text('{"files": ["../../thesis.txt"]}')
    assert "holds something else" in refused(multires.parent, mine, capsys)
    (mine / "published.json").unlink()
    assert "holds something else" in refused(multires.parent, mine / "thesis.txt", capsys)
    assert "holds something else" in refused(multires.parent, multires.parent, capsys)
    assert "is in the meshes" in refused(multires.parent, multires / "site", capsys)
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


def test_links_out_of_the_folder_are_not_followed(multires, tmp_path, capsys):
    site = tmp_path / "site"
    published(multires.parent, site, capsys)
    shutil.rmtree(site / "multires")
    (site / "multires").symlink_to(multires)
    before = digests(multires)
    assert "multires is a link" in refused(multires.parent, site, capsys)
    assert digests(multires) == before


def test_a_folder_that_is_half_written_has_no_first_page(output, tmp_path, capsys, monkeypatch):
    """And the next call completes it."""
    site = tmp_path / "site"
    published(output, site, capsys)
    whole = digests(site)
    (site / "multires/info").unlink()
    monkeypatch.setattr("shutil.copyfile", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    assert "full" in refused(output, site, capsys)
    assert list(site.rglob("index.html")) == []
    monkeypatch.undo()
    (site / f"multires/.0.shard.{'0' * 32}.tmp").write_text("of a call that was killed")
    published(output, site, capsys)
    assert digests(site) == whole


def test_meshes_that_are_not_whole_are_not_published(output, tmp_path, capsys, monkeypatch):
    site = tmp_path / "site"
    (shard,) = (output / "multires").glob("*.shard")
    content = shard.read_bytes()
    shard.write_bytes(content[:-1])
    assert f"{len(content)} were written" in refused(output, site, capsys)
    shard.write_bytes(content)
    (output / "multires/segments.parquet").rename(tmp_path / "away")
    assert "is gone" in refused(output, site, capsys)
    (tmp_path / "away").rename(output / "multires/segments.parquet")
    assert not site.exists()

    def run_begins(*_, **__):
        for marker in output.glob("work/documents.*.done"):
            marker.unlink()

    monkeypatch.setattr("os.utime", run_begins)
    assert f"a run has changed {output} meanwhile" in refused(output, site, capsys)
    assert not (site / "index.html").exists()
    assert "--publish needs finished meshes" in refused(output, site, capsys)
    assert not (site / "index.html").exists()


def test_a_mesh_without_a_record_or_a_file_is_not_published(output, unsharded, tmp_path, capsys):
    site = tmp_path / "site"
    (marker,) = output.glob("work/shards/*.done")
    marker.rename(tmp_path / "away")
    assert "there is no record of" in refused(output, site, capsys)
    (tmp_path / "away").rename(marker)
    copy = shutil.copytree(unsharded.parent, tmp_path / "unsharded", symlinks=True)
    path = copy / "multires" / "7.index"
    content = path.read_bytes()
    for damage in (path.unlink, lambda: path.write_bytes(content[:-1])):
        damage()
        said = refused(copy, site, capsys)
        assert f"files of labels in {copy}/multires are not those that were written" in said
    path.write_bytes(content)
    assert not site.exists()
    published(copy, site, capsys)


def test_the_report_is_a_page_of_its_own(output, tmp_path, capsys):
    site = tmp_path / "site"
    document = json.loads((output / "snakemesh.json").read_text())
    report = output / "report" / document["products"]["documents"]
    report.mkdir(parents=True)
    (report / "overview.rst").write_text("Meshes\n======\n\n.. csv-table::\n\n   a,17\n")
    (report / "scene.png").write_bytes(b"a picture")
    said = published(output, site, capsys)
    assert "The report has paths of this machine" in said
    page = (site / "report/index.html").read_text()
    assert "<td><p>17</p></td>" in page and 'src="scene.png"' in page
    assert 'href="../index.html"' in page
    assert (site / "report/scene.png").read_bytes() == b"a picture"
    assert 'report = "report/index.html"' in (site / "v/view/index.html").read_text()

    (output / "report.html").write_text("packed")
    published(output, site, capsys)
    assert (site / "report.html").read_text() == "packed" and not (site / "report").exists()
    os.utime(output / "report.html", (0, 0))
    assert "is older than the meshes" in published(output, site, capsys)
    assert not (site / "report.html").exists()


def test_meshes_far_from_0_are_published_near_it(output, tmp_path, capsys):
    """The viewer computes in 32 bits. Other programs find the moved `info` too, so it is said."""

    def state() -> dict:
        page = (site / "v/view/index.html").read_text()
        return json.loads(page.partition('type="application/json">')[2].partition("</script>")[0])

    site = tmp_path / "site"
    published(output, site, capsys)
    near, info = state(), json.loads((site / "multires/info").read_text())
    document = json.loads((output / "snakemesh.json").read_text())
    document["view"]["zero_nm"] = [800, 0, 0]
    (output / "snakemesh.json").write_text(json.dumps(document))
    said = published(output, site, capsys)
    assert "count from [800, 0, 0] nm" in said
    voxel = 8
    moved = [near["position"][0] - 800 / voxel, *near["position"][1:]]
    assert state()["position"] == pytest.approx(moved)
    info["transform"][3] -= 800
    assert json.loads((site / "multires/info").read_text()) == info
    says = refused(output, site, capsys, "--volume", "https://example.org/volume.zarr")
    assert "too far from 0" in says


def test_the_folder_is_an_output_for_all_commands(multires, tmp_path, capsys):
    published(multires.parent, tmp_path / "site", capsys, "--ids", "7")
    published(tmp_path / "site", tmp_path / "again", capsys, "--ids", "7")
    first, again = digests(tmp_path / "site"), digests(tmp_path / "again")
    page = "v/view/index.html"
    assert again.keys() == first.keys()
    assert {name for name in first if first[name] != again[name]} <= {page}


def test_a_first_call_that_was_killed_at_once(output, tmp_path, capsys):
    """Its list has no name yet: the folder is as good as empty."""
    site = tmp_path / "site"
    site.mkdir()
    (site / f".published.json.{'0' * 32}.tmp").write_text('{"files": [')
    published(output, site, capsys)
    assert not list(site.glob("**/*.tmp")) and (site / "index.html").is_file()


def test_a_file_of_the_user_is_not_replaced(output, tmp_path, capsys):
    """The folder was published without a report; the user has put one there, under that name."""
    site = tmp_path / "site"
    published(output, site, capsys)
    for name, text in {"report.html": "mine", "robots.txt": "User-agent: *"}.items():
        (site / name).write_text(text)
    before = digests(site)
    (output / "report.html").write_text("of the run")
    assert "report.html is not from an earlier call, and would be" in refused(output, site, capsys)
    assert digests(site) == before
    (site / "report.html").unlink()
    published(output, site, capsys)
    assert (site / "report.html").read_text() == "of the run"
    assert (site / "robots.txt").read_text() == "User-agent: *"
    (output / "report.html").unlink()
    published(output, site, capsys)
    assert not (site / "report.html").exists() and (site / "robots.txt").exists()


def test_meshes_in_files_of_their_labels_are_published_too(unsharded, tmp_path, capsys):
    """The page asks for a byte of one of them."""
    published(unsharded.parent, tmp_path / "site", capsys)
    assert digests(tmp_path / "site/multires") == digests(unsharded)
    largest = max(
        (p for p in unsharded.iterdir() if p.name.isdigit()), key=lambda p: p.stat().st_size
    )
    page = (tmp_path / "site/v/view/index.html").read_text()
    assert f'probe = "multires/{largest.name}"' in page
