"""Functions that make no array count no references, and none of them may hand one on."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

import snakemesh
from snakemesh.kernels.compiled import njit
from snakemesh.kernels.fingerprint import called_by


def uncounted() -> list[Dispatcher]:
    """All compiled functions of the library that count no references."""
    root = Path(snakemesh.__path__[0])
    names = [
        ".".join(("snakemesh", *path.relative_to(root).with_suffix("").parts))
        for path in sorted(root.rglob("*.py"))
        if "@njit(" in path.read_text()
    ]
    values = [value for name in names for value in vars(importlib.import_module(name)).values()]
    found = {id(value): value for value in values if isinstance(value, Dispatcher)}
    return [each for each in found.values() if each.targetoptions.get("_nrt") is False]


def test_they_call_none_that_makes_an_array():
    """Nobody would free it."""
    functions = uncounted()
    assert len(functions) > 80
    for function in functions:
        calls = called_by(function)
        assert all(each.targetoptions.get("_nrt") is False for each in calls), function.py_func


def rows(points, i):
    total = 0.0
    for j in range(i):
        row = points[j]
        if row[0] > total:
            total += row[1]
    return total


@pytest.mark.parametrize("allocates", [True, False])
def test_numba_heeds_the_option(allocates):
    """It is not one of numba's public options: a new version may forget it."""
    function = njit(cache=False, allocates=allocates)(rows)
    points = np.ones((3, 2))
    assert function(points, 3) == 1.0
    (code,) = function.inspect_asm().values()
    assert ("NRT_decref" in code) == allocates


def same(points):
    return points, len(points)


def test_one_that_returns_an_array_is_refused():
    """Its caller would free the array, which is still somebody else's."""
    with pytest.raises(TypeError, match="same.* returns an array: allocates must be True"):
        njit(cache=True, allocates=False)(same)(np.ones(2))


def new():
    return np.ones(2)[0]


def test_one_that_makes_an_array_is_refused():
    """By numba itself."""
    with pytest.raises(Exception, match="Only accept returning of array passed"):
        njit(cache=False, allocates=False)(new)()
