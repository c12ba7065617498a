"""Differentially private training: real rows reach the weights through noised gradients only."""

import copy
import numbers
import secrets
import warnings
from collections import deque
from collections.abc import Mapping
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from sktsgan._extras import import_extra
from sktsgan._net import AdversarialNet
from sktsgan._parameters import rows_of_a_batch
from sktsgan._processes import Processes
from sktsgan._threads import seeded
from sktsgan.networks import MinibatchDiscrimination

# Words in the state of torch's generator on the CPU.
_N_WORDS = 624
# Losses in which each row's part depends on its own score.
_SEPARABLE = ("bce", "hinge", "wasserstein", "least_squares")
# What would read real rows beside the noised gradients, or tie rows of a batch together.
_SWITCHED_OFF = {
    "minibatch_features": 0,
    "gradient_penalty": 0,
    "validation_fraction": 0,
    "selection": None,
    "interpolation_fraction": 0,
    "variation": 0,
    "detail_fraction": 0,
    "replicate_fraction": 0,
}


def check_private(sampler, n_rows, accumulate):
    """Refuse what no private training can do, and say what it does differently.

    Parameters
    ----------
    sampler : StaGANSampler
        Has its parameters as attributes.
    n_rows : int
        Rows to train on.
    accumulate : bool
        Whether training is to go on with more rows.
    """
    import_extra("opacus", "privacy", "'dp_epsilon'")
    n_processes = Processes.joined().n
    if n_processes > 1:
        raise ValueError(
            "'dp_epsilon' must be None where several processes train together, as the accountant "
            f"sees only one. Got {sampler.dp_epsilon!r} in {n_processes} processes."
        )
    if sampler.conditioning != "shared":
        raise ValueError(
            "'conditioning' must be 'shared' with 'dp_epsilon', as the size of a class is not "
            f"public. Got {sampler.conditioning!r}."
        )
    if callable(sampler.loss):
        raise ValueError(
            "'loss' must be the name of one with 'dp_epsilon', as rows must have parts of their "
            f"own in it. Got a function; use one of {', '.join(_SEPARABLE)}."
        )
    if accumulate or sampler.warm_start or sampler.checkpoint is not None:
        raise ValueError(
            "'dp_epsilon' must be None with 'warm_start', 'checkpoint' or 'partial_fit', as a "
            f"budget is spent by one training. Got {sampler.dp_epsilon!r}."
        )
    _check_bounds(sampler.dp_bounds)
    if sampler.dp_delta >= 1 / n_rows:
        raise ValueError(
            f"'dp_delta' must be below 1 / {n_rows}, one by the number of rows, or a row may be "
            f"given away as it is. Got {sampler.dp_delta!r}."
        )
    batch_size = rows_of_a_batch(sampler, "cpu")
    if batch_size > n_rows:
        raise ValueError(
            f"'batch_size' must not exceed the {n_rows} rows with 'dp_epsilon'. Got {batch_size}."
        )
    _warn_of_differences(sampler)


def _check_bounds(bounds):
    if (
        bounds is None
        or len(bounds) != 2
        or not all(isinstance(bound, numbers.Real) for bound in bounds)
        or not -np.inf < bounds[0] < bounds[1] < np.inf
    ):
        raise ValueError(
            "'dp_bounds' must be two rising numbers with 'dp_epsilon', between which amplitudes "
            f"lie and which no row was asked for. Got {bounds!r}; for heartbeats take (-2, 2) mV."
        )


def _warn_of_differences(sampler):
    replaced = {
        name: value for name, value in _SWITCHED_OFF.items() if getattr(sampler, name) != value
    }
    if sampler.loss not in _SEPARABLE:
        replaced["loss"] = separable(sampler.loss)
    if replaced:
        values = ", ".join(f"{name}={value!r}" for name, value in replaced.items())
        warnings.warn(
            "A private training reads real rows in no other way than by noised gradients, so it "
            f"goes on with {values}. Set them so to silence this.",
            stacklevel=2,
        )
    if sampler.random_state is not None:
        warnings.warn(
            "Whoever knows 'random_state' can compute the noise and take it away, and 'save' "
            "writes it down. Use None for all that leaves your hands.",
            stacklevel=2,
        )


def separable(loss):
    """Return the loss itself where rows have parts of their own in it, else "bce"."""
    return loss if loss in _SEPARABLE else "bce"


def secret_generator(device, seed=None):
    """Build a generator that nobody can guess.

    Parameters
    ----------
    device : str
        Where it draws.
    seed : int, default=None
        For tests; None takes the whole state from the operating system, as the seed of torch's
        generator on the CPU has 32 bits, which can be gone through.

    Returns
    -------
    torch.Generator
        The generator.
    """
    rng = torch.Generator(device).manual_seed(secrets.randbits(63) if seed is None else seed)
    if seed is None and rng.device.type == "cpu":
        state = rng.get_state()
        # seed, place and flags, then the words of the Mersenne twister, each in 8 bytes
        words = state[24 : 24 + 8 * _N_WORDS].view(_N_WORDS, 8)
        secret = bytearray(secrets.token_bytes(4 * _N_WORDS))
        words[:, :4] = torch.frombuffer(secret, dtype=torch.uint8).view(_N_WORDS, 4)
        rng.set_state(state)
    return rng


def check_rows_apart(discriminator, shape, n_classes):
    """Refuse a discriminator in which a row's score depends on others, whom clipping then misses.

    Parameters
    ----------
    discriminator : Module
        The discriminator.
    shape : tuple of int
        Channels and timepoints of a row.
    n_classes : int
        Classes.

    Raises
    ------
    ValueError
        If it ties rows to each other, or keeps something of them.
    """
    for module in discriminator.modules():
        if isinstance(module, (_BatchNorm, MinibatchDiscrimination)):
            _refuse(type(module).__name__)
    before = _held_by(discriminator)
    _check_scores_apart(discriminator, shape, n_classes)
    first = _held_by(discriminator)  # what does not depend on rows may have been put by
    with _moved(discriminator):
        _check_scores_apart(discriminator, shape, n_classes, seed=1)
    after = _held_by(discriminator)
    if not (_are_kept(before, first) and _are_kept(first, after) and first.keys() == after.keys()):
        _refuse("a buffer or a counter that follows the rows, which no noise protects")


def _held_by(discriminator):
    """Collect what its modules hold, in their state or beside it, by name: numbers and text."""

    def _find(name, value):
        if isinstance(value, torch.Tensor):
            yield name, value.detach().clone()
        elif isinstance(value, np.ndarray | np.generic):
            yield name, (value.dtype, value.shape, value.tobytes())
        elif isinstance(value, numbers.Number | str | bytes):
            yield name, value
        elif isinstance(value, Mapping | list | tuple | deque | set | frozenset):
            value = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
            parts = value.items() if isinstance(value, Mapping) else enumerate(value)
            for key, part in parts:
                yield from _find(f"{name}.{key}", part)

    return dict(
        found
        for name, module in discriminator.named_modules()
        for found in _find(name, vars(module))
    )


def _are_kept(before, after):
    return all(name in after and _are_equal(value, after[name]) for name, value in before.items())


def _are_equal(one, other):
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    return type(one) is type(other) and one == other


def _check_scores_apart(discriminator, shape, n_classes, seed=0):
    X, y = _trial_rows(discriminator, 7, shape, n_classes, seed)
    was_training = discriminator.training
    try:
        discriminator.eval()
        with torch.no_grad():
            together = discriminator(X[:4], y[:4])
            apart = torch.cat([discriminator(X[i : i + 1], y[i : i + 1]) for i in range(4)])
            tied = not torch.allclose(together, apart, rtol=1e-3, atol=1e-4)
            discriminator.train()
            tied |= _ties_in_training(discriminator, X, y)
    finally:
        discriminator.train(was_training)
    if tied:
        _refuse("scores that differ with the other rows of a batch")


@contextmanager
def _moved(discriminator):
    """Move all weights a little meanwhile, as training will: behind some of 0 nothing shows."""
    before, rng = copy.deepcopy(discriminator.state_dict()), torch.Generator().manual_seed(0)
    try:
        with torch.no_grad():
            for weights in discriminator.parameters():
                weights += 0.1 * torch.randn(weights.shape, generator=rng).to(weights)
        yield
    finally:
        discriminator.load_state_dict(before)


def _ties_in_training(discriminator, X, y):
    """Say whether the score of the first of seven rows changes with the three beside it."""
    scores = []
    for beside in ([1, 2, 3], [4, 5, 6]):
        with seeded(0):  # what is dropped out at random is the same
            scores.append(discriminator(X[[0, *beside]], y[[0, *beside]])[0])
    return not torch.allclose(*scores, rtol=1e-3, atol=1e-4)


def check_gradients_by_row(private, discriminator, shape, n_classes):
    """Refuse a discriminator whose gradients Opacus takes for those of other rows.

    It takes the first axis of what goes into each layer for the rows. Where time points, say, are
    there, each of them is clipped, and a row weighs as much as all its time points.

    Parameters
    ----------
    private : PrivateSteps
        Finds gradients by row.
    discriminator : Module
        The discriminator.
    shape : tuple of int
        Channels and timepoints of a row.
    n_classes : int
        Classes.

    Raises
    ------
    ValueError
        If the gradients of a row are not those of its score, or not found.
    """
    parameters = [part for part in discriminator.parameters() if part.requires_grad]
    # no other axis can be as long in both; beside the last row nothing has a gradient, or much has
    for n_rows, beside in ((3, 0.0), (5, 0.0), (5, 9.0)):
        X, y = _trial_rows(discriminator, n_rows, shape, n_classes)
        slopes = torch.full_like(X[:, 0, 0], beside)
        slopes[-1] = 1
        with seeded(0), _quiet():
            score = discriminator(X, y)[-1]
            gradients = torch.autograd.grad(score, parameters, allow_unused=True)
        try:
            with seeded(0):
                private.find_gradients(X, y, lambda _, slopes=slopes: slopes)
            by_row = [part.grad_sample for part in parameters]
        except (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError) as error:
            _refuse_layers(str(error).splitlines()[0], error)
        for found, gradient in zip(by_row, gradients, strict=True):
            if found is None or gradient is None:
                _refuse_layers("a parameter that scores do not depend on")
            expected = gradient.new_zeros(n_rows, *gradient.shape)
            expected[-1] = gradient
            own = slice(-1 if beside else 0, None)
            if found.shape != expected.shape or not torch.allclose(
                found[own],
                expected[own],
                rtol=1e-3,
                atol=1e-4 * max(1.0, float(gradient.abs().max())),
            ):
                _refuse_layers("a layer whose first axis is not that of the rows, or ties them")


def _trial_rows(discriminator, n_rows, shape, n_classes, seed=0):
    device = next(discriminator.parameters()).device
    rng = torch.Generator().manual_seed(seed)
    X = torch.randn(n_rows, *shape, generator=rng, dtype=torch.float32)
    # of two classes, as rows of one may be tied to each other, or to those of another
    return X.to(device), (torch.arange(n_rows) % min(n_classes, 2)).to(device)


def _refuse_layers(what, error=None):
    raise ValueError(
        "'discriminator' must be made of layers in which Opacus finds the gradient of each row "
        f"with 'dp_epsilon'. Got {what}; build it of torch.nn's linear and convolutional layers, "
        "with rows on the first axis throughout."
    ) from error


def _refuse(what):
    raise ValueError(
        "'discriminator' must score each row for itself with 'dp_epsilon', as gradients are "
        f"clipped by row. Got {what}; leave it out."
    )


class PoissonBatches:
    """Draw each row for each batch on its own, with one probability, as the accountant assumes.

    Parameters
    ----------
    dataset : ScaledRows
        Real rows.
    batch_size : int
        Rows of a batch in the mean.
    n_batches : int
        Generator steps of an epoch.
    n_draws : int
        Batches of real rows before each of them.
    n_classes : int
        Classes, which synthetic rows have in equal shares.
    rng : torch.Generator
        Draws their classes.
    secret_rng : torch.Generator
        Draws real rows.
    """

    def __init__(self, dataset, *, batch_size, n_batches, n_draws, n_classes, rng, secret_rng):
        self.dataset, self.batch_size = dataset, batch_size
        self.n_batches = n_batches or -(-len(dataset) // batch_size)
        self.n_draws, self.n_classes = n_draws, n_classes
        self.rng, self.secret_rng = rng, secret_rng

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        for _ in range(self.n_batches):
            shift = torch.randint(self.n_classes, (1,), generator=self.rng)
            labels = (torch.arange(self.batch_size * self.n_draws) + shift) % self.n_classes
            yield labels, [self._draw() for _ in range(self.n_draws)]

    def _draw(self):
        chance = torch.rand(len(self.dataset), generator=self.secret_rng, dtype=torch.float64)
        return self.dataset[torch.nonzero(chance < self.sample_rate).squeeze(1)]

    @property
    def sample_rate(self):
        """Probability with which a row is in a batch."""
        return self.batch_size / len(self.dataset)


class PrivateNet(AdversarialNet):
    """Train the discriminator by DP-SGD; the generator sees real rows through it alone [1]_.

    Of each real row in a batch the gradient is clipped to a norm, and Gaussian noise is added to
    the sum, with Opacus. Gradients of synthetic rows are clipped alike, so that both sides weigh
    the same [2]_. What the generator, the average and the history are made from is then either
    noised or synthetic, and by post-processing as private as the discriminator.

    Parameters
    ----------
    module : callable
        Builds the generator.
    epsilon, delta : float
        The budget.
    max_grad_norm : float
        Norm to which the gradient of a row is clipped.
    noise_seed : int or None
        Seeds the noise and the choice of rows; None takes a secret one.
    **kwargs : dict
        Passed to :class:`AdversarialNet`.

    References
    ----------
    .. [1] L. Xie et al., "Differentially private generative adversarial network", 2018,
       arXiv:1802.06739; DP-SGD: M. Abadi et al., "Deep learning with differential privacy",
       CCS 2016, arXiv:1607.00133.
    .. [2] A. Bie, G. Kamath, G. Zhang, "Private GANs, revisited", TMLR 2023, arXiv:2302.02936.
    """

    _can_be_recorded = False  # a batch has as many rows as chance draws

    def __init__(self, module, *, epsilon, delta, max_grad_norm, noise_seed, **kwargs):
        super().__init__(module, **kwargs)
        self.epsilon = epsilon
        self.delta = delta
        self.max_grad_norm = max_grad_norm
        self.noise_seed = noise_seed

    @property
    def advice(self):
        """Say what to do where training diverges; there is no gradient penalty."""
        return f"Lower 'lr' (now {self.lr})."

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Find the noise that the budget takes, and put Opacus around the discriminator."""
        of_rows = X.signals.shape[1:], self.module.keywords["n_classes"]
        check_rows_apart(self.discriminator_, *of_rows)
        seed = self.noise_seed
        # net.seed is taken
        self.secret_rng_ = secret_generator("cpu", None if seed is None else seed + 1)
        batches = self.get_iterator(X)
        n_steps = self.max_epochs * len(batches) * self.n_discriminator_steps
        self.noise_multiplier_ = find_noise(self.epsilon, self.delta, batches.sample_rate, n_steps)
        self.private_ = PrivateSteps(
            self.discriminator_,
            self.discriminator_optimizer_,
            noise_multiplier=self.noise_multiplier_,
            max_grad_norm=self.max_grad_norm,
            batch_size=self.batch_size,
            sample_rate=batches.sample_rate,
            rng=secret_generator(self.device, None if seed is None else seed + 2),
        )
        try:
            check_gradients_by_row(self.private_, self.discriminator_, *of_rows)
        except ValueError:
            self.private_.close()
            raise

    def on_train_end(self, net, **kwargs):
        """Say what was spent, and leave nothing behind that holds real rows or the noise."""
        self.epsilon_ = self.private_.spent(self.delta)
        self.private_.close()
        del self.private_, self.secret_rng_

    def get_iterator(self, dataset, training=False):
        """Return the batches of an epoch."""
        return PoissonBatches(
            dataset,
            batch_size=self.batch_size,
            n_batches=self.iterator_train__n_batches,
            n_draws=self.n_discriminator_steps,
            n_classes=self.module.keywords["n_classes"],
            rng=self.rng_,
            secret_rng=self.secret_rng_,
        )

    def _update_both(self, batch):
        """Update the discriminator privately, then the generator by synthetic rows alone."""
        labels, draws = batch
        for y_fake, real in zip(labels.split(self.batch_size), draws, strict=True):
            y = y_fake.to(self.device)
            parts = self._imitate(y)
            X_fake = torch.cat(parts).detach()
            X_real, y_real = (part.to(self.device) for part in real)
            scores = self._update_privately(X_real, y_real, X_fake, y)
        # its part of a separable loss does not ask for the scores of real rows
        generator_loss = self._update_generator(X_fake.clone(), X_fake, parts, y)
        # as if real rows had the scores of synthetic ones: nothing else may be written down
        discriminator_loss, _ = self.criterion_(scores, scores)
        return torch.stack([discriminator_loss, generator_loss])

    def description(self):
        """Give the numbers that go with the tensors, and what was spent."""
        return super().description() | {"epsilon": self.epsilon_}

    def set_description(self, description):
        """Put back what :meth:`description` gave."""
        super().set_description(description)
        self.epsilon_ = description["epsilon"]

    def _update_privately(self, X_real, y_real, X_fake, y_fake):
        """Step on clipped and noised gradients; return the scores of the synthetic rows before."""
        # how many real rows there were must not show in the random state, which files hold, nor in
        # how the scores that are written down are rounded
        X_real, X_fake = self._augmented(X_real, self.secret_rng_), self._augmented(X_fake)
        with torch.no_grad():
            scores = self.private_.per_row(X_fake, y_fake)
        sizes = [len(X_real), len(X_fake)]
        secret = int(torch.randint(2**62, (1,), generator=self.secret_rng_))
        with seeded(secret):  # dropout takes as many numbers as there are rows
            self.private_.find_gradients(
                torch.cat([X_real, X_fake]),
                torch.cat([y_real, y_fake]),
                lambda scores: self._slopes(*scores.split(sizes)),
            )
        self.private_.step()
        return scores

    def _slopes(self, real_scores, fake_scores):
        """Give the slope of each row's part of the loss at its score."""
        pair = [scores.requires_grad_() for scores in (real_scores.clone(), fake_scores.clone())]
        loss, _ = self.criterion_(*pair)
        slopes = torch.autograd.grad(loss, pair)
        # the loss has means over as many rows as chance has drawn, and nobody may know how many
        return torch.cat([slope * len(slope) for slope in slopes])


class PrivateSteps:
    """Opacus around a discriminator and its optimizer, for one training.

    Parameters
    ----------
    discriminator : Module
        Scores each row for itself.
    optimizer : Optimizer
        Its optimizer.
    noise_multiplier : float
        Standard deviation of the noise over `max_grad_norm`.
    max_grad_norm : float
        Norm to which the gradient of a row is clipped.
    batch_size : int
        Real rows of a batch in the mean, by which the sum is divided.
    sample_rate : float
        Probability with which a row is in a batch.
    rng : torch.Generator
        Source of the noise, on the discriminator's device.
    """

    def __init__(
        self,
        discriminator,
        optimizer,
        *,
        noise_multiplier,
        max_grad_norm,
        batch_size,
        sample_rate,
        rng,
    ):
        from opacus import GradSampleModule
        from opacus.accountants import RDPAccountant
        from opacus.optimizers import DPOptimizer

        try:
            self.per_row = GradSampleModule(discriminator, loss_reduction="sum")
        except NotImplementedError as error:  # it lists them all
            _refuse_layers("a layer or a buffer that it does not know", error)
        self.per_row.disable_hooks()
        self.optimizer = DPOptimizer(
            optimizer,
            noise_multiplier=noise_multiplier,
            max_grad_norm=max_grad_norm,
            expected_batch_size=batch_size,
            generator=rng,
        )
        self.accountant = RDPAccountant()
        self.sample_rate = sample_rate

    def find_gradients(self, X, y, slopes):
        """Leave the gradient of each row with the parameters.

        Parameters
        ----------
        X : Tensor of shape (n_rows, n_channels, n_timepoints)
            Rows.
        y : Tensor of shape (n_rows,)
            Their classes.
        slopes : callable
            Gives the slope of each row's loss at its score.
        """
        self.optimizer.zero_grad(set_to_none=True)
        self.per_row.enable_hooks()
        try:
            scores = self.per_row(X.requires_grad_(), y)
            with _quiet():
                scores.backward(slopes(scores.detach()))
        finally:
            self.per_row.disable_hooks()

    def step(self):
        """Clip, sum, add noise, and step."""
        # counted before it is done, so that none is ever missed
        self.accountant.step(
            noise_multiplier=self.optimizer.noise_multiplier, sample_rate=self.sample_rate
        )
        self._leave_out_what_is_not_finite()
        self.optimizer.step()

    def _leave_out_what_is_not_finite(self):
        """Take rows out that clipping would let pass, and with them the end of the training."""
        parameters = self.optimizer.params
        finite = [part.grad_sample.flatten(1).isfinite().all(dim=1) for part in parameters]
        finite = torch.stack(finite).all(dim=0)
        for part in parameters:
            rows = finite.view(-1, *[1] * (part.grad_sample.ndim - 1))
            part.grad_sample = part.grad_sample.where(rows, 0.0)

    def spent(self, delta):
        """Return the epsilon of all steps so far."""
        with _quiet():
            return float(self.accountant.get_epsilon(delta)) if len(self.accountant) else 0.0

    def close(self):
        """Take away rows, gradients by row, and their sum without noise."""
        discriminator = self.per_row.to_standard_module()
        for parameter in discriminator.parameters():
            vars(parameter).clear()
            parameter.grad = None
        # what an interrupted step leaves of the rows that went through each layer
        for module in discriminator.modules():
            for name in ("activations", "max_batch_len"):
                vars(module).pop(name, None)


@cache  # a search of up to a second
def find_noise(epsilon, delta, sample_rate, n_steps):
    """Find the noise with which a training keeps a budget, by Opacus.

    Parameters
    ----------
    epsilon, delta : float
        The budget.
    sample_rate : float
        Probability with which a row is in a batch.
    n_steps : int
        Steps of the discriminator.

    Returns
    -------
    float
        Standard deviation of the noise over the clipping norm.

    Raises
    ------
    ValueError
        If no noise is enough.
    """
    from opacus.accountants.utils import get_noise_multiplier

    try:
        with _quiet():
            return get_noise_multiplier(
                target_epsilon=epsilon,
                target_delta=delta,
                sample_rate=sample_rate,
                steps=n_steps,
                accountant="rdp",
                # of a huge budget one hundredth is less than what noise can be told apart by
                epsilon_tolerance=max(0.01, 1e-6 * epsilon),
            )
    except (ValueError, RuntimeError) as error:
        raise ValueError(
            f"'dp_epsilon' must be a budget that {n_steps} steps can keep with 'dp_delta'={delta}. "
            f"Got {epsilon!r} ({error}); raise either, or take fewer steps or smaller batches."
        ) from error


@contextmanager
def _quiet():
    """Leave out two warnings that mean nothing here."""
    with warnings.catch_warnings():
        # the accountant never says too little, but may say too much
        warnings.filterwarnings("ignore", "Optimal order is the")
        # the classes, whole numbers, go into a layer too
        warnings.filterwarnings("ignore", "Full backward hook is firing")
        yield
