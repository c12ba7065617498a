"""StaGANSampler: balances labelled signals with a GAN, as an imbalanced-learn sampler."""

import numbers
import os
import warnings
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_sampling_strategy, check_target_type
from scipy.sparse import issparse
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from sktsgan._arguments import check_whole
from sktsgan._arrays import in_memory, mapped
from sktsgan._chunks import sample_in_chunks
from sktsgan._drawing import VOTE_POWERS, DrawingMixin
from sktsgan._labels import check_labels, labels_of, to_columns, with_type_of_numpy
from sktsgan._parameters import check_strategy, whole_numbers
from sktsgan._processes import Processes
from sktsgan._signals import (
    as_signals,
    check_axes,
    check_finite,
    check_kind,
    check_not_polars,
    check_not_ragged,
)
from sktsgan._threads import fixed_order
from sktsgan._training import LOSSES, TrainingMixin
from sktsgan._types import narrow_columns, wider_columns


class StaGANSampler(TrainingMixin, DrawingMixin, BaseOverSampler):
    """Over-sample time series with a GAN that learns the shapes of every class.

    An LSTM generator and a convolutional discriminator with minibatch discrimination [1]_ are
    trained against each other on all classes at once. A part of each class is held out, the
    maximum mean discrepancy (MMD) to it is followed, and the weights with the best MMD are
    kept. ``fit_resample`` gives a part of the new rows by the generator, with the fine detail of
    real rows, and the others as weighted means of neighbouring real rows; all are varied as rows of
    the largest class vary near them, and padded, scaled or centred one by one where real rows are,
    within the limits of these, and in whole numbers where these are. It draws more rows than it
    needs and leaves out near-copies of training rows and those that rows of other classes surround.

    Read more in the :ref:`user guide <user_guide>`.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        How many rows each class is to have, as in
        :class:`imblearn.over_sampling.RandomOverSampler`: by default all as many as the
        largest. A float is for two classes; for more of them give a dict or a function.
    generator : {"bilstm", "lstm"} or callable, default="bilstm"
        The generator: :class:`~sktsgan.networks.LSTMGenerator` in two directions or one. A
        callable is called with `n_channels`, `n_timepoints` and `n_classes` and returns a
        torch module with an attribute ``latent_size``, which is called with noise of shape
        (n_samples, latent_size) and classes of shape (n_samples,) and returns signals of shape
        (n_samples, n_channels, n_timepoints). The options from `latent_dim` to `head_channels`
        are then not used.
    discriminator : {"strided", "max_pooling"} or callable, default="strided"
        The discriminator: :class:`~sktsgan.networks.ConvDiscriminator` with strided or with
        pooled convolutions. A callable is called like the generator's and returns a module
        that is called with signals and classes and returns scores of shape (n_samples,). The
        options from `discriminator_channels` to `minibatch_features` are then not used.
    n_channels : int, default=1
        Channels (leads) of a 2-D row, which holds them one after the other. 3-D rows tell
        theirs by their shape; leave it at 1 for them, or give that number.
    latent_dim : int, default=32
        Numbers of noise that a whole signal shares.
    noise_dim : int, default=4
        Numbers of fresh noise at each LSTM step.
    hidden_size : int, default=64
        Units of the LSTM in each direction.
    n_layers : int, default=1
        Layers of the LSTM.
    samples_per_step : int, default=8
        Samples of the signal that one LSTM step gives out.
    head_channels : int, default=16
        Features of the convolutional head; 0 puts a linear output in its place.
    discriminator_channels : tuple of int, default=(32, 64, 64, 128)
        Channels of the discriminator's blocks.
    kernel_size : int, default=5
        Width of the discriminator's convolutions, odd.
    minibatch_features : int, default=16
        Outputs of minibatch discrimination; 0 turns it off.
    conditioning : {"shared", "per_class"}, default="shared"
        One pair of networks that are told the class, or one pair for each class.
    loss : str or callable, default="relativistic"
        "relativistic", "bce", "hinge", "wasserstein", "least_squares", or a function like
        those in :mod:`sktsgan.losses`.
    gradient_penalty : float, default=1.0
        Weight of the zero-centred gradient penalties on real and on synthetic rows (R1 and
        R2) [2]_; 0 turns them off.
    penalty_interval : int, default=4
        The discriminator is penalised at one of so many steps, that many times as strongly [4]_.
        It learns finer differences in the steps between, and they cost less. 1 penalises all.
        So that it cannot run away meanwhile, gradients are clipped to a norm of 10 for each
        network, which few reach.
    max_epochs : int, default=20
        Epochs of training at most.
    steps_per_epoch : int or None, default=100
        Generator steps of an epoch, after which the held-out MMD is measured. None means one
        pass over as many rows as there are (with `dp_epsilon`, one for each discriminator step).
    batch_size : int, default=None
        Rows of a batch, classes in equal shares; where several processes train together, that of
        each of them. None takes 64, and 256 on a CUDA card without `dp_epsilon`, where these take
        less than twice as long. Minibatch discrimination compares all pairs of them: time and
        memory of a step grow with the square, and on the CPU, from some 256 rows on, it takes more
        than all else.
    lr : float, default=1e-3
        Learning rate of both networks' Adam optimizers.
    betas : tuple of two floats, default=(0.0, 0.99)
        Adam's moments.
    n_discriminator_steps : int, default=1
        Steps of the discriminator before each step of the generator.
    augmentation : float, default=0.5
        Probability that a row's amplitude is jittered before the discriminator sees it, and
        that its offset is, real and synthetic alike.
    ema_decay : float, default=0.99
        Decay, by step, of the exponential average of the generator's weights, from which rows
        are drawn; 0 draws from the last weights.
    validation_fraction : float, default=0.1
        Share of each class that is held out to measure the MMD, at most 500 rows. Classes of
        fewer than 20 rows, which no generator learns, give none, nor do those of which it would be
        less than two rows. Where nothing is held out, as with 0, the last weights are kept.
    patience : int or None, default=10
        Epochs without a better held-out MMD after which training stops.
    selection : {"neighbors", "unanimous"} or None, default="neighbors"
        Which rows ``fit_resample`` keeps of those it draws: "neighbors" each with a probability,
        the fourth root of the share of its three nearest real rows that carry the same label,
        "unanimous" those of which all three do, for fewer false alarms and more missed rows. The
        nearest are so once they are moved in time, as `max_shift` allows. Both keep
        none that is higher, from peak to peak of a channel, than every real row. None keeps all but
        near-copies.
    interpolation_fraction : float, default=0.75
        Share of the new rows of ``fit_resample`` that are weighted sums of a real row of the
        class and its five nearest [3]_, instead of being generated. The weights are random, add up
        to 1 and may be negative. They anchor what a classifier sees to real rows.
    max_shift : float, default=0.05
        Rows are moved in time to lie on each other, by up to this share of their time points, at
        most a half, before they are summed, one is subtracted from another, or the nearest are
        chosen. A sum is then moved to where one of its rows was. 0 leaves them where they are.
    variation : float, default=4.0
        New rows of ``fit_resample`` are moved by the difference between two neighbouring rows of
        the largest class near them, times up to this number (times the square of a uniform one):
        what is common to classes (noise, wander, the build of a patient) is best seen where there
        are many rows. None is moved by more than its own standard deviation, or it would drown, and
        those that were scaled one by one by no more than once the difference. 0 jitters
        interpolated rows by 10 % in amplitude and 0.05 standard deviations in offset instead.
    detail_fraction : float, default=0.03
        Generated rows of ``fit_resample`` take their fine detail, all but the leading principal
        components of the training rows, from one of the five nearest real rows of their class.
        This is the share of the variance that counts as fine; 0 leaves generated rows as they are.
    replicate_fraction : float, default=0.0
        Share of the new rows of ``fit_resample`` that are exact replicates of real rows; with
        `interpolation_fraction` at most 1.
    dp_epsilon : float or None, default=None
        Budget of differential privacy for one row, see :ref:`privacy`: whether or not a row was in
        `X` changes the probability of what is learned, and so of what ``sample`` gives, by no
        more than a factor of exp(`dp_epsilon`), but for `dp_delta`. The discriminator is trained
        by DP-SGD (extra ``privacy``), with batches of `batch_size` rows in the mean, and real rows
        are used for nothing else: `minibatch_features`, `gradient_penalty`,
        `validation_fraction`, `selection`, `interpolation_fraction`, `variation`,
        `detail_fraction` and `replicate_fraction` are off, "relativistic" becomes "bce", and
        ``fit_resample`` adds what ``sample`` gives. The number of rows and the set of labels count
        as known. None trains without.
    dp_delta : float, default=1e-5
        Probability that goes with it; below 1 / n_samples.
    dp_max_grad_norm : float, default=1.0
        Norm to which the gradient of each row is clipped.
    dp_bounds : tuple of two floats or None, default=None
        Bounds of the amplitudes, to which rows are clipped and by which they are scaled. They have
        to be known without the rows; a private training needs them.
    warm_start : bool, default=False
        True goes on from the weights that the last ``fit`` or ``fit_resample`` kept, which must
        have had all classes and the same shapes, instead of from new ones. The scale of the rows
        stays that of the first, and so must the parameters of the networks.
    checkpoint : str or path-like, default=None
        Folder in which training is written down after each epoch. A ``fit`` or ``fit_resample`` on
        the same rows and with the same parameters that finds it there goes on, and ends with the
        weights that it would have had without a break; on other ones it raises an error. What
        cannot be written, as on a full disk, is warned of, and training goes on. Parameters
        that matter only after training, as `selection` and `variation` do, may differ, and so may a
        `random_state` that is a RandomState. Networks and losses of your own are compared by name;
        states of `callbacks` are not in it. Not with
        `warm_start` or ``partial_fit``, nor in a cross-validation or a search, whose fits would
        share the folder.
    device : str, default="auto"
        Torch device; "auto" takes a CUDA device if there is one, else the CPU. What goes on from
        weights that are there moves to it; until then rows are drawn where they were trained.
    callbacks : list of skorch callbacks, default=None
        Called during training, see :mod:`skorch.callbacks`. An ``LRScheduler`` changes the rate
        of the generator alone. What they may watch is ``valid_mmd`` and ``valid_mmd_best``, not
        skorch's ``valid_loss``; a private training has neither. On a CUDA card steps take ten times
        as long with some.
    n_jobs : int or None, default=None
        Classes that are trained at once where `conditioning` is "per_class", by joblib: None
        means 1 outside of a :func:`joblib.parallel_config`, -1 all cores. Rows do not depend on it.
        In threads the nets share instances in `callbacks`; give classes there.
    verbose : int, default=0
        1 shows a progress bar with losses and held-out MMD. Callbacks print what they print.
    random_state : int, RandomState instance or None, default=None
        Seeds everything. An int gives the same rows in each call, on any number of jobs; the
        global generators are left as they are. Networks of your own that draw at random, as
        dropout does, take torch's global one.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels; for a table of labels the numbers of its columns.
    sampling_strategy_ : dict
        Rows to make, by label; none where those of ``partial_fit`` cannot be balanced so.
    net_ : AdversarialNet, dict or None
        The trained net, a :class:`skorch.NeuralNet`. With `conditioning="per_class"`, and in
        `history_`, `best_iter_` and `best_score_` too, a dict by label. Where every class has
        fewer than 20 rows, all four are None, or an empty dict.
    history_ : skorch.history.History
        Losses and held-out MMD^2 (``valid_mmd``), by epoch; of the last call also by step.
    n_iter_ : int
        Generator steps done.
    best_iter_ : int
        Generator steps done when the kept weights were reached.
    best_score_ : float or None
        Minus the held-out MMD^2 of the kept weights; None where nothing was held out, or training
        was interrupted in its first epoch. It is the mean over the classes, weighted by the root of
        their held-out rows, since the MMD to a few rows is mostly chance.
    epsilon_ : float
        What a private training has spent, as Opacus' accountant says; at most `dp_epsilon`.
    synthetic_mask_ : ndarray of bool of shape (n_samples_new,)
        Which rows of the last ``fit_resample`` were added.
    n_features_in_ : int
        Length of the second axis of X: features of a 2-D row, channels of a 3-D one.
    feature_names_in_ : ndarray of object of shape (`n_features_in_`,)
        Column names, where all columns of X are named by strings.

    See Also
    --------
    sktsgan.MMDScorer : Scores a fitted sampler in cross-validation.
    imblearn.over_sampling.SMOTE : Draws straight lines between neighbours.

    Notes
    -----
    Rows are signals, evenly sampled and aligned (heartbeats: around the R wave). A class of
    fewer than 20 rows is too small to be learned: a warning says so, and its rows are weighted
    sums of neighbours among its own rows, with jitter in amplitude and offset.

    Training takes one CPU thread for each operation, so that the same seed gives the same rows
    whatever runs beside it (but for threads of this process that draw from torch's global
    generator just while networks get their first weights). Its cost grows with the number of
    steps, not of rows.

    ``fit`` takes memory-mapped arrays, and Dask and Zarr arrays, without holding them in memory.
    Where ``torchrun`` or ``accelerate launch`` started several processes, they train one GAN
    together. The :ref:`page on scaling <scaling>` has both.

    Put the sampler into :class:`imblearn.pipeline.Pipeline`; scikit-learn's own Pipeline takes
    no samplers.

    References
    ----------
    .. [1] A. M. Delaney, E. Brophy, T. E. Ward, "Synthesis of realistic ECG using generative
       adversarial networks", 2019, arXiv:1909.09150.
    .. [2] Y. Huang et al., "The GAN is dead; long live the GAN! A modern GAN baseline",
       NeurIPS 2024, arXiv:2501.05441.
    .. [3] M. S. Taylor, J. R. Thompson, "Data based random number generation for a multivariate
       distribution via stochastic simulation", Computational Statistics & Data Analysis 4(2),
       1986.
    .. [4] T. Karras et al., "Analyzing and improving the image quality of StyleGAN", CVPR 2020,
       arXiv:1912.04958 (lazy regularization).

    Examples
    --------
    >>> from collections import Counter
    >>> from sktsgan import StaGANSampler
    >>> from sktsgan.datasets import make_heartbeats
    >>> X, y = make_heartbeats(300, weights=[0.8, 0.2], classes=("N", "V"), random_state=0)
    >>> sampler = StaGANSampler(max_epochs=2, steps_per_epoch=5, selection=None, random_state=0)
    >>> X_resampled, y_resampled = sampler.fit_resample(X, y)
    >>> sorted(Counter(y_resampled.tolist()).items())
    [('N', 240), ('V', 240)]
    >>> X_new, y_new = sampler.sample(3, y=["V", "V", "N"], random_state=0)
    >>> X_new.shape, y_new.tolist()
    ((3, 128), ['V', 'V', 'N'])
    """

    # scikit-learn's diagrams link to it
    _doc_link_module = "sktsgan"
    _doc_link_template = (
        "https://sktsgan.readthedocs.io/en/latest/generated/sktsgan.StaGANSampler.html"
    )

    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's)
        **BaseOverSampler._parameter_constraints,
        "generator": [StrOptions({"bilstm", "lstm"}), callable],
        "discriminator": [StrOptions({"strided", "max_pooling"}), callable],
        "n_channels": [Interval(numbers.Integral, 1, None, closed="left")],
        "latent_dim": [Interval(numbers.Integral, 0, None, closed="left")],
        "noise_dim": [Interval(numbers.Integral, 0, None, closed="left")],
        "hidden_size": [Interval(numbers.Integral, 1, None, closed="left")],
        "n_layers": [Interval(numbers.Integral, 1, None, closed="left")],
        "samples_per_step": [Interval(numbers.Integral, 1, None, closed="left")],
        "head_channels": [Interval(numbers.Integral, 0, None, closed="left")],
        "discriminator_channels": [tuple, list],
        "kernel_size": [Interval(numbers.Integral, 1, None, closed="left")],
        "minibatch_features": [Interval(numbers.Integral, 0, None, closed="left")],
        "conditioning": [StrOptions({"shared", "per_class"})],
        "loss": [StrOptions(set(LOSSES)), callable],
        "gradient_penalty": [Interval(numbers.Real, 0, None, closed="left")],
        "penalty_interval": [Interval(numbers.Integral, 1, None, closed="left")],
        "max_epochs": [Interval(numbers.Integral, 1, None, closed="left")],
        "steps_per_epoch": [Interval(numbers.Integral, 1, None, closed="left"), None],
        "batch_size": [Interval(numbers.Integral, 1, None, closed="left"), None],
        "lr": [Interval(numbers.Real, 0, None, closed="neither")],
        "betas": [tuple, list],
        "n_discriminator_steps": [Interval(numbers.Integral, 1, None, closed="left")],
        "augmentation": [Interval(numbers.Real, 0, 1, closed="both")],
        "ema_decay": [Interval(numbers.Real, 0, 1, closed="left")],
        "validation_fraction": [Interval(numbers.Real, 0, 1, closed="left")],
        "patience": [Interval(numbers.Integral, 1, None, closed="left"), None],
        "selection": [StrOptions(set(VOTE_POWERS)), None],
        "interpolation_fraction": [Interval(numbers.Real, 0, 1, closed="both")],
        "max_shift": [Interval(numbers.Real, 0, 0.5, closed="both")],
        "variation": [Interval(numbers.Real, 0, None, closed="left")],
        "detail_fraction": [Interval(numbers.Real, 0, 1, closed="left")],
        "replicate_fraction": [Interval(numbers.Real, 0, 1, closed="both")],
        "dp_epsilon": [Interval(numbers.Real, 0, None, closed="neither"), None],
        "dp_delta": [Interval(numbers.Real, 0, 1, closed="neither")],
        "dp_max_grad_norm": [Interval(numbers.Real, 0, None, closed="neither")],
        "dp_bounds": [tuple, list, None],
        "warm_start": ["boolean"],
        "checkpoint": [str, os.PathLike, None],
        "device": [str, torch.device],
        "callbacks": [list, tuple, None],
        "n_jobs": [numbers.Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        sampling_strategy="auto",
        *,
        generator="bilstm",
        discriminator="strided",
        n_channels=1,
        latent_dim=32,
        noise_dim=4,
        hidden_size=64,
        n_layers=1,
        samples_per_step=8,
        head_channels=16,
        discriminator_channels=(32, 64, 64, 128),
        kernel_size=5,
        minibatch_features=16,
        conditioning="shared",
        loss="relativistic",
        gradient_penalty=1.0,
        penalty_interval=4,
        max_epochs=20,
        steps_per_epoch=100,
        batch_size=None,
        lr=1e-3,
        betas=(0.0, 0.99),
        n_discriminator_steps=1,
        augmentation=0.5,
        ema_decay=0.99,
        validation_fraction=0.1,
        patience=10,
        selection="neighbors",
        interpolation_fraction=0.75,
        max_shift=0.05,
        variation=4.0,
        detail_fraction=0.03,
        replicate_fraction=0.0,
        dp_epsilon=None,
        dp_delta=1e-5,
        dp_max_grad_norm=1.0,
        dp_bounds=None,
        warm_start=False,
        checkpoint=None,
        device="auto",
        callbacks=None,
        n_jobs=None,
        verbose=0,
        random_state=None,
    ):
        super().__init__(sampling_strategy=sampling_strategy)
        self.generator = generator
        self.discriminator = discriminator
        self.n_channels = n_channels
        self.latent_dim = latent_dim
        self.noise_dim = noise_dim
        self.hidden_size = hidden_size
        self.n_layers = n_layers
        self.samples_per_step = samples_per_step
        self.head_channels = head_channels
        self.discriminator_channels = discriminator_channels
        self.kernel_size = kernel_size
        self.minibatch_features = minibatch_features
        self.conditioning = conditioning
        self.loss = loss
        self.gradient_penalty = gradient_penalty
        self.penalty_interval = penalty_interval
        self.max_epochs = max_epochs
        self.steps_per_epoch = steps_per_epoch
        self.batch_size = batch_size
        self.lr = lr
        self.betas = betas
        self.n_discriminator_steps = n_discriminator_steps
        self.augmentation = augmentation
        self.ema_decay = ema_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.selection = selection
        self.interpolation_fraction = interpolation_fraction
        self.max_shift = max_shift
        self.variation = variation
        self.detail_fraction = detail_fraction
        self.replicate_fraction = replicate_fraction
        self.dp_epsilon = dp_epsilon
        self.dp_delta = dp_delta
        self.dp_max_grad_norm = dp_max_grad_norm
        self.dp_bounds = dp_bounds
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.device = device
        self.callbacks = callbacks
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Train the GAN on all classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, n_channels, n_timepoints)
            Signals.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or a table with a one in each row, of which the classes are the columns'
            numbers.

        Returns
        -------
        StaGANSampler
            The sampler itself.
        """
        X, y = _as_they_came(X, y)
        with self._kept_on_failure():
            X, y, _ = self._check_X_y(X, y)
            if self._is_private:  # it tells how many rows each class has, and may fail by that
                self.sampling_strategy_ = {}
            else:
                self._set_strategy(y)
            self._train(X, y, self._start_rng())
        return self

    @contextmanager
    def _kept_on_failure(self):
        """Leave the sampler as it was where a call fails."""
        before = vars(self).copy()
        states = {net: net.state() for net in getattr(self, "_nets", {}).values()}
        try:
            yield
        except _RowsInterrupted:
            raise
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            for net, state in states.items():
                net.best_.forget()
                net.go_back(state)
            raise

    def _start_rng(self):
        """Return one source of randomness for all processes, which a checkpoint may wind back."""
        return Processes.joined().of_first(_own_rng(self.random_state))

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None):
        """Go on training with more rows, for `max_epochs` epochs.

        The scale of the rows is that of the first call. The weights with the best MMD to the
        held-out part of these rows are kept, those that there were among them. Rows of classes too
        small to be learned are kept until there are 20 of them. A shared net that ``fit`` built
        without such a class never learns it, and its rows, however many, stay in the sampler:
        begin with ``partial_fit``, or set `conditioning` to "per_class". New rows have a number
        type that holds those of all calls.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, n_channels, n_timepoints)
            Signals, in random order: what is seen last counts most.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or a table with a one in each row, of which the classes are the columns'
            numbers.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come, in the first call; by default those in `y`.

        Returns
        -------
        StaGANSampler
            The sampler itself.

        Raises
        ------
        ValueError
            If shapes or `classes` are not those of the first call, a label is none of these, a
            channel that was constant is so no more, `X` is not finite, or a parameter has no such
            value.
        """
        self._validate_params()  # scikit-learn leaves it out where a sampler goes on
        X, y = _as_they_came(X, y)
        go_on = self._goes_on(accumulate=True)
        if classes is not None:
            classes = self._check_classes(classes, go_on)
        with self._kept_on_failure():
            X, y, _ = self._check_X_y(X, y, reset=not go_on)
            self._train(X, y, self._start_rng(), classes=classes, accumulate=True)
            try:
                self._set_strategy(np.repeat(self.classes_, self._counts))
            except ValueError:  # one class as yet, or more rows than were to be made
                self.sampling_strategy_ = {}
        return self

    def _check_classes(self, classes, go_on):
        classes = list(classes) if isinstance(classes, set | frozenset) else classes
        if pd.isna(np.asarray(classes, dtype=object)).any():
            raise ValueError("'classes' must hold labels. Got a missing one; leave it out.")
        classes = np.unique(check_labels(classes))
        if not len(classes):
            raise ValueError("'classes' must hold all labels that will ever come. Got none.")
        if go_on and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"'classes' must be those of the first call, {self.classes_.tolist()}. "
                f"Got {classes.tolist()}; begin anew with a clone."
            )
        return classes

    def _set_strategy(self, y):
        strategy = check_sampling_strategy(self.sampling_strategy, y, self._sampling_type)
        self.sampling_strategy_ = whole_numbers(strategy)

    def sample(self, n_samples=1, *, y=None, random_state=None, chunks=None):
        """Draw synthetic rows from what was learned.

        Rows come as the generator makes them: near-copies and rows whose neighbours carry
        another label are only left out by ``fit_resample``, which has the training rows and keeps
        new ones to their padding, scale, limits and whole numbers. Classes of fewer than 20 rows
        have no generator; theirs are made between those rows.

        Parameters
        ----------
        n_samples : int, default=1
            Rows to draw. Not used where `y` is given.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            A label for each row, or a table as ``fit`` takes. By default labels are drawn with
            their frequency in training, or all alike after a private one.
        random_state : int, RandomState instance or None, default=None
            Seeds the draw; None takes the sampler's own `random_state`, so that an int there
            gives the same rows in each call.
        chunks : int, default=None
            Rows of a chunk of Dask arrays, which are returned instead of numpy's and drawn when
            they are computed: more than memory holds, by a cluster, to a file. Each chunk has a
            seed of its own, so that rows depend on the size of chunks and not on the workers.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features) or (n_samples, n_channels, n_timepoints)
            Signals, shaped as the training rows; with `chunks`, a :class:`dask.array.Array`.
        y : ndarray of shape (n_samples,)
            Their labels, or a Dask array of them.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the sampler has not been fitted.
        ValueError
            If `n_samples` or `chunks` is not a whole number above 0, or a label was not seen in
            ``fit``.
        ImportError
            If `chunks` is given without Dask (extra ``distributed``).
        """
        check_is_fitted(self, "net_")
        rng = _own_rng(self.random_state if random_state is None else random_state)
        if y is None:
            check_whole("n_samples", n_samples)
            labels = given = None
        else:
            labels = self._places_of(y)
            n_samples, given = len(labels), self.classes_[labels]
        if chunks is not None:
            check_whole("chunks", chunks)
            return sample_in_chunks(self, given, n_samples, chunks, rng)
        if labels is None:
            labels = self._draw_labels(n_samples, rng)
        with fixed_order():
            X = self._draw(labels, rng, as_given=True)
        return X, self.classes_[labels]

    def _draw_labels(self, n_samples, rng):
        return rng.choice(len(self.classes_), n_samples, p=self._counts / self._counts.sum())

    def fit_resample(self, X, y):
        """Train the GAN and return the rows together with the new ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, n_channels, n_timepoints)
            Signals.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or a table with a one in each row, of which the classes are the columns'
            numbers.

        Returns
        -------
        X_resampled : array-like of shape (n_samples_new, ...)
            The rows of `X`, untouched, then the new rows of each class, in the container and
            number type of `X`: a DataFrame, a list or an array; whole numbers are rounded.
        y_resampled : array-like of shape (n_samples_new,) or (n_samples_new, n_classes)
            Their labels, or a table like `y`.

        Raises
        ------
        ValueError
            If `X` is not finite, ragged or too short, `y` has one class only, or a parameter has
            no such value.
        TypeError
            If `X` is sparse.
        RuntimeError
            If training diverged before any weights could be kept, or a generator gives NaN.
        """
        check_not_polars(X, y)
        y = in_memory(y)
        X, labels = _as_they_came(X, y)
        with self._kept_on_failure():
            X_resampled, y_resampled = super().fit_resample(X, labels)
            if np.ndim(labels) < np.ndim(y):
                y_resampled = to_columns(y_resampled, y)
            elif labels is not y:
                y_resampled = y_resampled.astype(y.dtype)
            return X_resampled, y_resampled

    def _fit_resample(self, X, y):
        self.sampling_strategy_ = whole_numbers(self.sampling_strategy_)
        self._check_room(X)
        rng = self._start_rng()
        self._train(X, y, rng)
        try:
            return self._balance(X, y, rng)
        except KeyboardInterrupt as error:
            warnings.warn(
                "New rows were interrupted, and there are none. What was learned is kept: 'sample' "
                "draws from it.",
                stacklevel=2,
            )
            raise _RowsInterrupted from error

    def _check_room(self, X):
        """Refuse before training what memory would not hold after it."""
        n_rows = sum(self.sampling_strategy_.values())
        try:
            np.empty((n_rows, *X.shape[1:]), X.dtype)
        except (MemoryError, OverflowError, ValueError) as error:
            raise ValueError(
                f"'sampling_strategy' must ask for rows that memory holds. Got {n_rows:.3g} new "
                "ones; draw them with 'sample' and its 'chunks' instead."
            ) from error

    def _balance(self, X, y, rng):
        """Add new rows to those that there are."""
        labels = np.searchsorted(self.classes_, y)
        X_parts, y_parts = [X], [y]
        with fixed_order():
            lenders = None if self._is_private else self._build_lenders(X, labels, rng)
            for label, n_rows in self.sampling_strategy_.items():
                if n_rows > 0:
                    index = int(np.searchsorted(self.classes_, label))
                    y_parts.append(np.full(n_rows, label, dtype=y.dtype))
                    if self._is_private:
                        X_parts.append(self._draw(np.full(n_rows, index), rng, as_given=True))
                        continue
                    n_replicates, *n_new = self._share_out(index, n_rows)
                    own = np.flatnonzero(labels == index)
                    X_parts.append(X[rng.choice(own, n_replicates)])
                    X_parts += self._new_rows(index, *n_new, lenders, rng)
        X_resampled, y_resampled = np.concatenate(X_parts), np.concatenate(y_parts)
        self.synthetic_mask_ = np.arange(len(y_resampled)) >= len(y)
        return X_resampled, y_resampled

    def _check_X_y(self, X, y, reset=True):  # noqa: N802 (imblearn's)
        _check_form(X)
        y, binarize_y = check_target_type(y, indicate_one_vs_all=True)
        # a function may ask for classes that are yet to come
        if not callable(self.sampling_strategy) or (reset and len(np.unique(y)) > 1):
            check_strategy(self.sampling_strategy, y)
        narrow, first_call = narrow_columns(X), reset and not self._goes_on()
        if not first_call:
            check_axes(X, self._row_shape)
        X, y = validate_data(
            self, X=X, y=y, reset=first_call, allow_nd=True, ensure_all_finite=False
        )
        if X.dtype.kind not in "fiu":
            X = X.astype(np.float64)
        if reset:
            self._dtype, self._narrow = X.dtype, narrow
        else:  # `partial_fit` goes on, and rows of all calls come out
            self._dtype = np.result_type(self._dtype, X.dtype)
            self._narrow = wider_columns(self._narrow, narrow)
        processes = Processes.joined()
        first, part = processes.part(X)
        processes.agree(lambda: check_finite(part, first))
        as_signals(X, self.n_channels)
        return X, y, binarize_y

    def _places_of(self, y):
        y = labels_of(check_labels(in_memory(y)))
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.ndim != 1 or not len(y):
            raise ValueError(f"'y' must be a list of labels, one for each row. Got {y.shape}.")
        return self._find_labels(y, self.classes_[self._counts > 0], "labels seen in 'fit'")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.three_d_array = True
        return tags


class _RowsInterrupted(KeyboardInterrupt):
    """Ctrl-C once training was over, which keeps what was learned."""


def _own_rng(random_state):
    """Return a source of randomness; None takes a new one, as numpy's global one is not ours."""
    return np.random.RandomState() if random_state is None else check_random_state(random_state)


def _as_they_came(X, y):
    """Check the kind of rows and labels; give these as one for each row."""
    X, y = mapped(X), in_memory(y)
    check_kind(X, y)
    labels = with_type_of_numpy(labels_of(y))
    check_classification_targets(labels)
    return X, labels


def _check_form(X):
    """Refuse rows that are sparse, ragged or of too many axes."""
    types = X.dtypes.tolist() if isinstance(X, pd.DataFrame) else []
    is_table = bool(types) and all(isinstance(own, pd.SparseDtype) for own in types)
    if issparse(X) or is_table:
        raise TypeError(
            "X must be dense, as signals have no zeros to save. Got a sparse "
            f"{type(X).__name__}; call X.{'sparse.to_dense' if is_table else 'toarray'}()."
        )
    check_not_ragged(X)
    if np.ndim(X) > 3:
        raise ValueError(
            "X must have 2 or 3 axes, (n_samples, n_features) or (n_samples, n_channels, "
            f"n_timepoints). Got {np.ndim(X)} axes."
        )
