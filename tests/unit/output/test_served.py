import os
from dataclasses import asdict

import pytest
import xxhash

from snakemesh.output.served import PROBE_BYTES, served_file, what_is_wrong


@pytest.fixture(params=[0, 1, 100, PROBE_BYTES, 2 * PROBE_BYTES + 1, 20 << 20])
def path(request, tmp_path):
    path = tmp_path / "0.shard"
    path.write_bytes(bytes(i % 251 for i in range(1000)) * (request.param // 1000 + 1))
    os.truncate(path, request.param)
    return path


def test_a_file_is_what_was_written(path):
    record = asdict(served_file(path))
    assert record["size"] == path.stat().st_size
    assert record["checksum"] == xxhash.xxh3_64_hexdigest(path.read_bytes())
    assert what_is_wrong(path, record) is None
    os.utime(path, ns=(0, 0))
    assert what_is_wrong(path, record) is None


def test_what_is_wrong_is_said(path):
    record = asdict(served_file(path))
    size = path.stat().st_size
    with open(path, "ab") as file:
        file.write(b"x")
    assert what_is_wrong(path, record) == f"{path} has {size + 1} bytes, {size} were written"
    path.write_bytes(b"\0" * size)
    if size > 1:
        assert what_is_wrong(path, record) == f"{path} is not what was written"
    path.unlink()
    assert what_is_wrong(path, record) == f"{path} is gone"


def test_either_end_is_looked_at(tmp_path):
    path = tmp_path / "0.shard"
    content = bytearray(os.urandom(3 * PROBE_BYTES))
    path.write_bytes(content)
    record = asdict(served_file(path))
    for place in (0, PROBE_BYTES - 1, len(content) - PROBE_BYTES, len(content) - 1):
        changed = content.copy()
        changed[place] ^= 1
        path.write_bytes(changed)
        assert what_is_wrong(path, record) == f"{path} is not what was written"


def test_a_record_that_says_nothing(tmp_path):
    (tmp_path / "a").write_text("x")
    assert what_is_wrong(tmp_path / "a", {}) == f"there is no record of {tmp_path / 'a'}"
