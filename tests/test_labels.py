"""Labels as users give them."""

import numpy as np

from sktsgan._labels import from_columns


def test_a_table_of_other_numbers_is_not_one_hot():
    assert from_columns(np.array([[2, -1], [0, 1]])) is None
