"""What a plan finds damaged among the products of earlier runs."""

import os
from pathlib import Path

import pytest

from snakemesh.output.folder import OutputFolder
from snakemesh.products.damage import damage
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.products.products import Products
from snakemesh.survey.input_state import InputState
from volumes import plan_of, volume

LABELS = [5, 70]


@pytest.fixture
def served(tmp_path):
    """Makes everything that is served, sharded or not, as jobs do. The files hold no meshes."""

    def make(sharded: bool) -> Products:
        plan = plan_of(volume((100, 100, 100)), cell_size=64, num_lods=1, sharded=sharded)
        folder = OutputFolder(str(tmp_path))
        products = Products(Fingerprints(plan, InputState(plan, {})), folder)
        documents = (folder.info, folder.segment_properties, folder.segments, folder.lods)
        write([*documents, folder.served_document])
        for shard in products.shards:
            write([*shard.files(LABELS), shard.summary, shard.lod_summary, shard.pairs])
            shard.finish(LABELS, {})
        products.documents.finish({})
        return products

    return make


def write(paths):
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(path)


@pytest.mark.parametrize("sharded", [True, False], ids=["sharded", "unsharded"])
def test_each_damage_has_its_product_made_again(served, sharded):
    products = served(sharded)
    assert damage(products) == {}
    (shard,) = products.shards
    documents = products.documents
    folder = products.folder
    for path, product in ((shard.files(LABELS)[-1], shard), (folder.segments, documents)):
        before = Path(path).read_text()
        os.truncate(path, 3)
        assert damage(products).keys() == {product.marker}
        Path(path).unlink()
        assert damage(products).keys() == {product.marker}
        Path(path).write_text(before)
    assert damage(products) == {}


@pytest.mark.parametrize("content", ["", "\0" * 20, "{}"], ids=["empty", "zeros", "nothing"])
def test_a_damaged_marker_has_its_product_made_again(served, content):
    products = served(sharded=True)
    for product in (*products.shards, products.documents):
        before = Path(product.marker).read_text()
        Path(product.marker).write_text(content)
        (line,) = damage(products).values()
        assert line.startswith("there is no record of")
        Path(product.marker).write_text(before)


def test_what_is_not_there_is_not_damaged(served):
    products = served(sharded=True)
    for product in (*products.shards, products.documents):
        Path(product.marker).unlink()
    assert damage(products) == {}
