"""Training by class: what is learned, held out and kept, and the nets that learn it."""

import warnings
from functools import partial

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from skorch.callbacks import GradientNormClipping

from sktsgan import losses
from sktsgan._arrays import put_before, take
from sktsgan._batches import ScaledRows
from sktsgan._callbacks import BestByMMD, Checkpoint, Patience, Progress
from sktsgan._devices import check_device
from sktsgan._labels import plain
from sktsgan._net import AdversarialNet
from sktsgan._parameters import check_parameters, rows_of_a_batch
from sktsgan._private import PrivateNet, check_private, separable
from sktsgan._processes import Processes
from sktsgan._saving import SavingMixin, are_same
from sktsgan._signals import SignalScaler, as_signals
from sktsgan._store import digest_rows
from sktsgan._types import as_type
from sktsgan.networks import ConvDiscriminator, LSTMGenerator

# A class of fewer rows is not learned but interpolated.
_FEW_ROWS = 20
# More held-out rows would cost time and make the MMD hardly steadier.
_MAX_HELD_OUT = 500

# Norm to which gradients are clipped. Most are far below. In the steps between two penalties
# the discriminator may run away, and Adam remembers one gradient of thousands for a thousand steps.
_MAX_GRADIENT_NORM = 10.0

# Parameters that are passed on to the LSTM generator.
_GENERATOR_SIZES = (
    "latent_dim",
    "noise_dim",
    "hidden_size",
    "n_layers",
    "samples_per_step",
    "head_channels",
)
# Parameters of training that may have other values where it goes on.
_MAY_CHANGE = (
    "max_epochs",
    "lr",
    "n_discriminator_steps",
    "gradient_penalty",
    "penalty_interval",
    "augmentation",
    "ema_decay",
)

# Parameters that each process has for itself; of random states that of the first counts.
_OF_EACH_PROCESS = ("device", "random_state")

LOSSES = {
    name: getattr(losses, name)
    for name in ("relativistic", "bce", "hinge", "wasserstein", "least_squares")
}


class TrainingMixin(SavingMixin):
    """Trains a net for all classes, or one for each, and goes on training them."""

    # parameters on which what was learned depends
    _fixed = (
        "generator",
        "discriminator",
        "n_channels",
        *_GENERATOR_SIZES,
        "discriminator_channels",
        "kernel_size",
        "minibatch_features",
        "conditioning",
        "loss",
        "betas",
        "dp_epsilon",
        "dp_delta",
        "dp_max_grad_norm",
        "dp_bounds",
    )

    @property
    def _is_private(self):
        return self.dp_epsilon is not None

    def _goes_on(self, accumulate=False):
        return hasattr(self, "net_") and (accumulate or self.warm_start)

    def _train(self, X, y, rng, *, classes=None, accumulate=False):
        """Learn all classes that have enough rows; keep the rows of those that have not."""
        device = check_device(self.device)
        signals, labels = self._start(X, y, classes, accumulate)
        counts = np.bincount(labels, minlength=len(self.classes_))
        all_counts = self._counts + counts if accumulate else counts
        if self._is_private:  # sizes of classes are not kept
            all_counts = np.ones_like(counts)
        if accumulate and self._few_rows:
            signals, labels = self._with_few_rows(signals, labels)
            counts = np.bincount(labels, minlength=len(self.classes_))
        learned, few = self._divide(counts)
        groups = [
            (group, np.intersect1d(group, learned))
            for group in self._groups(learned, later=accumulate or self.warm_start)
        ]
        trainings = [
            self._prepare(signals, labels, group, own, device, rng) for group, own in groups
        ]
        nets = dict(self._nets)
        for (_, own), net in zip(groups, self._run(trainings), strict=True):
            nets.update(dict.fromkeys(own.tolist(), net))
            # here, as nobody hears what a worker of joblib's warns of
            if net.stopped_by_ == "diverged":
                self._warn_of_divergence(net, own)
        self._counts = all_counts
        self._few_rows = {
            int(label): self._scaler.scaled(take(signals, np.flatnonzero(labels == label)))
            for label in few
        }
        self._set_results(nets)

    def _start(self, X, y, classes, accumulate):
        """Begin anew or go on; return signals and labels' indices, the same in all processes."""
        go_on = self._goes_on(accumulate)
        processes = Processes.joined()
        processes.agree(lambda: check_parameters(self, accumulate))
        if processes.n > 1:
            processes.check_same(self._fingerprint(X, y, classes, go_on))
        if go_on and hasattr(self, "epsilon_") and not self._is_private:
            raise ValueError(
                "'dp_epsilon' must not become None where a private training would go on, as its "
                "budget is spent. Call 'fit' without 'warm_start' to begin anew."
            )
        if self._is_private:
            check_private(self, len(X), accumulate)
        vars(self).pop("synthetic_mask_", None)  # of rows that went before
        signals = as_signals(X, self.n_channels)
        if go_on:
            self._check_built_with()
        else:
            self._begin(X, signals, y if classes is None else classes)
        return signals, self._check_announced(signals, y, accumulate)

    def _fingerprint(self, X, y, classes, go_on):
        """Collect what must be the same in all processes, by name."""
        some = take(X, np.linspace(0, len(X) - 1, 9).astype(int))
        labels, places = np.unique(y, return_inverse=True)
        known = {
            "X": (X.shape, some.tobytes()),
            "y": (labels.tolist(), digest_rows(places)),
            "classes": None if classes is None else classes.tolist(),
            "what was learned before": self._summary() if go_on else None,
            "checkpoint": self.checkpoint is None,  # the folder may have names of its own
        }
        return known | self._encoded_parameters(leave_out=_OF_EACH_PROCESS)

    def _summary(self):
        """Sum up what was learned, but for weights, of which those of the first process count."""
        scale = [part.tobytes() for part in (self._scaler.center, self._scaler.scale)]
        few = {label: digest_rows(X) for label, X in self._few_rows.items()}
        steps = {label: net.n_iter_ for label, net in self._nets.items()}
        return self.classes_.tolist(), self._counts.tolist(), str(self._dtype), scale, few, steps

    def _divide(self, counts):
        """Say which classes are learned, and which have too few rows, with a warning."""
        labels = np.arange(len(counts))
        # of a private training the rows of small classes are not kept
        enough = counts >= (0 if self._is_private else _FEW_ROWS)
        if self.conditioning == "shared" and self._nets:  # it was built for some of them
            enough &= np.isin(labels, next(iter(self._nets.values())).classes_)
        known = np.isin(labels, list(self._nets))
        few = np.flatnonzero((counts > 0) & ~enough & ~known)
        for label in few:
            self._warn_of_few_rows(self.classes_[label], counts[label])
        return np.flatnonzero(enough | (known & (counts > 0))), few

    def _begin(self, X, signals, classes):
        """Fix what stays for good: classes, shapes and scale."""
        vars(self).pop("epsilon_", None)  # of a private training that went before
        self.classes_ = np.unique(classes)
        self._built_with = self._fixed_parameters()
        self._row_shape, self._signal_shape = X.shape[1:], signals.shape[1:]
        if self._is_private:
            self._scaler = SignalScaler.from_bounds(self.dp_bounds, len(signals[0]))
        else:
            self._scaler = SignalScaler.from_signals(signals, Processes.joined())
        self._counts = np.zeros(len(self.classes_), dtype=int)
        self._nets, self._few_rows = {}, {}

    def _fixed_parameters(self):
        """Collect the parameters that stay as they are while training goes on."""
        fixed = {name: getattr(self, name) for name in self._fixed}
        channels = tuple(self.discriminator_channels)
        betas = tuple(float(beta) for beta in self.betas)  # torch takes no whole numbers
        bounds = None if self.dp_bounds is None else tuple(self.dp_bounds)
        return fixed | {"betas": betas, "discriminator_channels": channels, "dp_bounds": bounds}

    def _check_built_with(self):
        for name, value in self._fixed_parameters().items():
            if not are_same(value, self._built_with[name]):
                raise ValueError(
                    f"'{name}' must stay as it was while training goes on, "
                    f"{self._built_with[name]!r}. Got {value!r}; begin anew with a clone."
                )

    def _check_announced(self, signals, y, accumulate):
        """Return the labels' indices, where they and the signals are as they were at first."""
        if not self._scaler.leaves_constant(signals):
            raise ValueError(
                "X must be constant in the channels that were so in the first call. Got other "
                "values there; begin anew with a clone."
            )
        advice = "; set 'warm_start=False' to begin anew"
        if accumulate:
            advice = "; begin anew with a clone, and name all in 'classes' of its first call"
        return self._find_labels(y, self.classes_, "classes of the first call", advice)

    def _find_labels(self, y, known, what, advice=""):
        """Return the indices of labels, all of which must be `known`."""
        unknown = ~np.isin(y, known)
        # numpy may take "1" for 1
        unknown |= isinstance(y[0], str) != isinstance(known[0], str)
        if unknown.any():
            raise ValueError(
                f"'y' must hold {what}, {known.tolist()}. Got {plain(y[unknown][0])!r}{advice}."
            )
        return np.searchsorted(self.classes_, y)

    def _with_few_rows(self, signals, labels):
        """Put the rows of earlier calls that were too few to be learned before the new ones."""
        # scaling may have left whole numbers just below what they were
        few = [as_type(self._scaler.restored(X), self._dtype) for X in self._few_rows.values()]
        few_labels = np.repeat(list(self._few_rows), [len(X) for X in few])
        return put_before(signals, few), np.concatenate([few_labels, labels])

    def _groups(self, learned, later):
        """Say which classes share a net; all of them where others may be learned `later`."""
        if self.conditioning == "per_class":
            return list(learned[:, None])
        if not len(learned):
            return []
        net = next(iter(self._nets.values()), None)
        if net is not None:
            return [net.classes_]
        return [np.arange(len(self.classes_)) if later else learned]

    def _prepare(self, signals, labels, group, own, device, rng):
        """Return a net for the classes in `group`, rows of `own` ones, and what was saved of it."""
        processes = Processes.joined()
        path, run, saved = self._open_checkpoint(signals, labels, own, rng, processes)
        held_out = self._hold_out(labels, own, rng)
        net = next((self._nets[label] for label in group.tolist() if label in self._nets), None)
        if net is None:
            net = self._build_net(signals.shape[1:], len(group), device, rng)
            net.classes_ = group
        net.processes = processes
        net.best_ = BestByMMD(
            {
                int(np.searchsorted(group, label)): self._scaler.scaled(take(signals, rows))
                for label, rows in held_out.items()
                if len(rows)
            },
            self.patience,
            net.best_.best_iter_ if net.initialized_ else None,
        )
        net.callbacks = [  # without names, of which the user's may be any
            # the bar first, as the next raises an error where nothing was learned
            *([Progress()] if self.verbose and not processes.rank else []),
            net.best_,
            *([] if self._is_private else [GradientNormClipping(_MAX_GRADIENT_NORM)]),
            *(self.callbacks or []),
            Patience(),
            *([Checkpoint(path, run)] if path else []),
        ]
        if net.initialized_:
            if net.device != device:
                net.move(device)
            net.go_on(**self._training_options(device))
        rows = np.flatnonzero(np.isin(labels, own))
        rows = np.setdiff1d(rows, np.concatenate(list(held_out.values())))
        rows = rows[processes.shard(labels[rows])]
        places = np.searchsorted(group, labels[rows])
        return net, ScaledRows(signals, rows, places, self._scaler), saved

    def _run(self, trainings):
        """Train all nets, at once where that was asked for."""
        if len(trainings) == 1 or Processes.joined().n > 1:
            return [net.train(*rows) for net, *rows in trainings]
        if effective_n_jobs(self.n_jobs) > 1:
            for _, dataset, _ in trainings:
                dataset.make_portable()
        return Parallel(n_jobs=self.n_jobs)(delayed(net.train)(*rows) for net, *rows in trainings)

    def _hold_out(self, labels, own, rng):
        """Draw the held-out rows of each class."""
        if self._is_private:  # and no random number by the size of a class
            return {label: np.array([], dtype=int) for label in own.tolist()}
        held_out = {}
        for label in own.tolist():
            rows = np.flatnonzero(labels == label)
            n_held_out = min(int(self.validation_fraction * len(rows)), _MAX_HELD_OUT)
            # MMD^2 needs two rows, and the rest has to teach something
            n_held_out = n_held_out if n_held_out >= 2 else 0
            held_out[label] = rng.permutation(rows)[:n_held_out]
        return held_out

    def _build_net(self, signal_shape, n_classes, device, rng):
        n_channels, n_timepoints = signal_shape
        shape = {"n_channels": n_channels, "n_timepoints": n_timepoints, "n_classes": n_classes}
        seed = int(rng.randint(2**31 - 1))
        loss, build = self.loss, AdversarialNet
        if self._is_private:
            loss = separable(self.loss)
            build = partial(
                PrivateNet,
                epsilon=self.dp_epsilon,
                delta=self.dp_delta,
                max_grad_norm=self.dp_max_grad_norm,
                noise_seed=None if self.random_state is None else seed,
            )
        return build(
            partial(self._choose_generator(), **shape),
            discriminator=partial(self._choose_discriminator(), **shape),
            criterion=loss if callable(loss) else LOSSES[loss],
            betas=self._fixed_parameters()["betas"],
            seed=seed,
            device=device,
            **self._training_options(device),
        )

    def _training_options(self, device):
        """Collect what may change from one training of a net to the next."""
        return {
            "batch_size": rows_of_a_batch(self, device),
            "iterator_train__n_batches": self.steps_per_epoch,
            "is_plain": not (callable(self.loss) or self.callbacks),
            "verbose": int(bool(self.callbacks)),  # theirs is what they print
            **{name: plain(getattr(self, name)) for name in _MAY_CHANGE},
        }

    def _choose_generator(self):
        if callable(self.generator):
            return self.generator
        # of a search over an array they are numpy's, which torch does not take
        return partial(
            LSTMGenerator,
            bidirectional=self.generator == "bilstm",
            **{name: int(getattr(self, name)) for name in _GENERATOR_SIZES},
        )

    def _choose_discriminator(self):
        if callable(self.discriminator):
            return self.discriminator
        return partial(
            ConvDiscriminator,
            channels=tuple(self.discriminator_channels),
            kernel_size=self.kernel_size,
            downsample="stride" if self.discriminator == "strided" else "max",
            minibatch_features=0 if self._is_private else self.minibatch_features,
        )

    def _set_results(self, nets):
        """Set the fitted attributes, one value for a shared net, else by label."""
        self._nets = nets
        results = {"net_": {}, "history_": {}, "best_iter_": {}, "best_score_": {}}
        for label, net in nets.items():
            values = (net, net.history, net.best_.best_iter_, net.best_.score_)
            for name, value in zip(results, values, strict=True):
                results[name][self.classes_[label]] = value
        shared = self.conditioning == "shared"
        for name, by_label in results.items():
            setattr(self, name, next(iter(by_label.values()), None) if shared else by_label)
        if self._is_private:
            self.epsilon_ = self.net_.epsilon_
        self.n_iter_ = max((net.n_iter_ for net in nets.values()), default=0)

    def _warn_of_divergence(self, net, own):
        of_class = ""
        if self.conditioning == "per_class":
            of_class = f" of class {plain(self.classes_[own[0]])!r}"
        warnings.warn(
            f"Training{of_class} diverged at iteration {net.n_iter_}. The weights of iteration "
            f"{net.best_.best_iter_} are kept. {net.advice}",
            stacklevel=2,
        )

    def _warn_of_few_rows(self, label, count):
        reason = f"fewer than the {_FEW_ROWS} that a GAN can learn from"
        if count >= _FEW_ROWS:
            reason = "but fewer at first, when the GAN that goes on was built"
        warnings.warn(
            f"Class {plain(label)!r} has {count} row{'s' if count > 1 else ''}, {reason}. Its "
            "new rows are made between its own rows instead, a little varied, and none is held "
            "out.",
            stacklevel=2,
        )
