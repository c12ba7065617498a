"""Scoring a fitted sampler by MMD, in cross-validation."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from sktsgan._arguments import check_whole
from sktsgan.metrics._mmd import maximum_mean_discrepancy
from sktsgan.metrics._rows import as_sampled


class MMDScorer(BaseEstimator):
    """Score a fitted sampler by the MMD between held-out rows and rows drawn from it.

    A scorer as scikit-learn calls them, ``scorer(estimator, X, y)``: for each class in `y` about
    as many rows are drawn from the sampler as it has (`n_samples`), and the score is minus the
    mean of their :func:`~sktsgan.metrics.maximum_mean_discrepancy` to the rows in `X`. 0 is the
    best score to expect, -2 the worst possible. As rows are drawn by ``sample``, parameters that
    matter in ``fit_resample`` alone, such as `selection` and `variation`, change nothing. Rows of
    a class that had fewer than 20 in training are made between these, which scores near 0,
    whatever the parameters: compare only fits in which the same classes have 20, and let a halving
    search turn at `max_epochs`, not at the number of rows.

    It takes a bare sampler or a fitted :class:`imblearn.pipeline.Pipeline`, in which the
    sampler is found and `X` first goes through the transformers before it, or a fitted search
    over one of these. As a sampler is no classifier, ``cv=5`` would not be stratified: pass
    :class:`~sklearn.model_selection.StratifiedKFold`, or, where rows of one patient must stay
    together, :class:`~sklearn.model_selection.StratifiedGroupKFold`.

    Parameters
    ----------
    average : {"macro", "weighted"}, default="macro"
        Whether every class counts the same, or by its rows in `y`.
    n_samples : int or None, default=None
        Rows to draw for each class; None takes as many as the class has in `X`, and at least
        100.
    random_state : int or RandomState instance, default=0
        Seeds the draw; an int gives the same score for the same estimator and rows.

    Attributes
    ----------
    discrepancies_ : dict
        MMD^2 of the last call, by label.
    standard_errors_ : dict
        Their standard errors: 0 but where a class, or `n_samples`, has more than 20,000 rows, of
        which not all pairs are taken.

    See Also
    --------
    sktsgan.metrics.maximum_mean_discrepancy : The figure itself.

    Examples
    --------
    >>> from sklearn.model_selection import StratifiedKFold, cross_val_score
    >>> from sktsgan import MMDScorer, StaGANSampler
    >>> from sktsgan.datasets import make_heartbeats
    >>> X, y = make_heartbeats(200, weights=[0.5, 0.5], classes=("N", "V"), random_state=0)
    >>> sampler = StaGANSampler(max_epochs=1, steps_per_epoch=5, random_state=0)
    >>> scores = cross_val_score(sampler, X, y, cv=StratifiedKFold(2), scoring=MMDScorer())
    >>> bool((scores < 0).all())
    True
    """

    # scikit-learn's diagrams link to it
    _doc_link_module = "sktsgan"
    _doc_link_template = "https://sktsgan.readthedocs.io/en/latest/generated/sktsgan.MMDScorer.html"

    def __init__(self, average="macro", *, n_samples=None, random_state=0):
        self.average = average
        self.n_samples = n_samples
        self.random_state = random_state

    def __call__(self, estimator, X, y):
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : sampler, Pipeline or search
            Fitted, with a method ``sample``.
        X : array-like of shape (n_samples, ...)
            Rows that it was not fitted on.
        y : array-like of shape (n_samples,)
            Their labels.

        Returns
        -------
        float
            Minus the mean MMD^2.

        Raises
        ------
        ValueError
            If a class has fewer than two rows in `X`, or four with an `n_samples` above 20,000, or
            was not seen in ``fit``, or rows are not those of ``fit`` in shape and names.
        TypeError
            If there is no sampler in `estimator`.
        """
        if self.average not in ("macro", "weighted"):
            raise ValueError(f"'average' must be 'macro' or 'weighted'. Got {self.average!r}.")
        if self.n_samples is not None:
            check_whole("n_samples", self.n_samples, 2)
        for name in ("discrepancies_", "standard_errors_"):  # of another call
            vars(self).pop(name, None)
        sampler, X, y = as_sampled(estimator, X, y, name="estimator")
        rng = check_random_state(self.random_state)
        labels, counts = np.unique(y, return_counts=True)
        estimates = {
            label: self._discrepancy(sampler, X[y == label], label, rng)
            for label in labels.tolist()
        }
        self.discrepancies_ = {label: value for label, (value, _) in estimates.items()}
        self.standard_errors_ = {label: error for label, (_, error) in estimates.items()}
        weights = counts if self.average == "weighted" else None
        return -float(np.average([value for value, _ in estimates.values()], weights=weights))

    def _discrepancy(self, sampler, X_real, label, rng):
        if len(X_real) < 2:
            raise ValueError(
                f"X must have at least 2 rows of each class. Got {len(X_real)} of class "
                f"{label!r}; use fewer folds, or stratified ones."
            )
        n_samples = self.n_samples or max(len(X_real), 100)
        X_synthetic, _ = sampler.sample(y=np.full(n_samples, label), random_state=rng)
        return maximum_mean_discrepancy(X_real, X_synthetic, return_standard_error=True)
