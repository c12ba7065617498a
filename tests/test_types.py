"""Number types of rows."""

import numpy as np
import pytest

from sktsgan._types import as_type


@pytest.mark.parametrize("name", ["int8", "uint16", "int64", "uint64"])
def test_numbers_too_large_for_a_whole_type(name):
    low, high = as_type(np.array([-1e30, 1e30]), np.dtype(name))
    assert low == np.iinfo(name).min
    assert high == pytest.approx(np.iinfo(name).max)


@pytest.mark.parametrize("name", ["float16", "float32"])
def test_numbers_too_large_for_a_type(name):
    low, high = as_type(np.array([-1e300, 1e300]), np.dtype(name))
    assert (low, high) == (np.finfo(name).min, np.finfo(name).max)
