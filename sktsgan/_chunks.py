"""Drawing rows a chunk at a time, as Dask arrays."""

import copy
import uuid

from sklearn.utils import check_random_state

from sktsgan._extras import import_extra


def sample_in_chunks(sampler, labels, n_samples, chunk_size, rng):
    """Describe rows as Dask arrays, which are drawn when they are computed.

    Each chunk has a seed of its own, so that rows are the same whoever computes them, in whichever
    order. Labels that are to be drawn are drawn from the same seed.

    Parameters
    ----------
    sampler : StaGANSampler
        A fitted one, which goes to the workers once.
    labels : array-like of shape (n_samples,) or None
        A label for each row, or None to draw them.
    n_samples : int
        Rows.
    chunk_size : int
        Rows of a chunk.
    rng : numpy.random.RandomState
        Seeds the chunks.

    Returns
    -------
    X : dask.array.Array of shape (n_samples, ...)
        Signals.
    y : dask.array.Array of shape (n_samples,)
        Their labels.

    Raises
    ------
    ImportError
        If Dask is not installed.
    """
    array = import_extra("dask.array", "distributed", "'chunks'")
    delayed = import_extra("dask", "distributed", "'chunks'").delayed
    starts = range(0, n_samples, chunk_size)
    seeds = rng.randint(2**31 - 1, size=(len(starts), 2)).tolist()
    fitted = delayed(_Fitted(sampler), pure=False)
    X, y = [], []
    for start, (label_seed, seed) in zip(starts, seeds, strict=True):
        n_rows = min(chunk_size, n_samples - start)
        if labels is None:
            own = delayed(_draw_labels, pure=False)(fitted, n_rows, label_seed)
        else:
            own = delayed(labels[start : start + n_rows], pure=False)
        rows = delayed(_draw_rows, pure=False)(fitted, own, seed)
        y.append(array.from_delayed(own, (n_rows,), dtype=sampler.classes_.dtype))
        X.append(array.from_delayed(rows, (n_rows, *sampler._row_shape), dtype=sampler._dtype))
    return array.concatenate(X), array.concatenate(y)


class _Fitted:
    """A sampler with a name that Dask can tell it by, as it cannot look into networks."""

    def __init__(self, sampler):
        # rows are drawn later, and are those of now; callbacks, which may hold anything, draw none
        nets = sampler._nets.values()
        lists = [sampler.callbacks, *(own for n in nets for own in (n.callbacks, n.callbacks_))]
        # none that is empty: Python has but one empty tuple, which other objects hold, too
        self.sampler = copy.deepcopy(sampler, {id(own): [] for own in lists if own})
        self.name = uuid.uuid4().hex

    def __dask_tokenize__(self):
        return self.name


def _draw_labels(fitted, n_rows, seed):
    sampler = fitted.sampler
    return sampler.classes_[sampler._draw_labels(n_rows, check_random_state(seed))]


def _draw_rows(fitted, labels, seed):
    return fitted.sampler.sample(y=labels, random_state=seed)[0]
