"""Labels as users give them."""

import numpy as np
import pytest

from sktsgan._labels import check_labels, from_columns


def test_a_table_of_other_numbers_is_not_one_hot():
    assert from_columns(np.array([[2, -1], [0, 1]])) is None


def test_labels_of_several_parts_are_refused():
    y = np.fromiter([("N", 1), ("V", 1)], dtype=object)
    with pytest.raises(TypeError, match="must hold strings or numbers. Got a tuple for each row"):
        check_labels(y)
