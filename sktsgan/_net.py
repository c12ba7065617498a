"""The adversarial net: skorch's loop around two networks, two optimizers and our own step."""

import copy
import json
import math
import numbers
import warnings
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, PassthroughScoring
from skorch.history import History
from skorch.utils import TeeGenerator
from torch import nn
from torch.nn.parameter import is_lazy
from torch.utils.data import Dataset
from tqdm.auto import tqdm

from sktsgan._arrays import is_mapped_alone, take
from sktsgan._processes import ALONE
from sktsgan._recording import RecordedSteps, send
from sktsgan._store import whole_checkpoint, write
from sktsgan._threads import fixed_order, one_by_one, seeded, side_by_side
from sktsgan.losses import gradient_penalty
from sktsgan.metrics._mmd import maximum_mean_discrepancy, median_bandwidth
from sktsgan.networks import ConvDiscriminator, LSTMGenerator
from sktsgan.networks._layers import is_as_built

# Rows that a core generates at a time: more of them leave its cache, and are slower.
_CHUNK = 512
# Rows that a card generates at a time: fewer do not fill it.
_CHUNK_ON_CARD = 16_384
# Bytes of training rows that a card keeps; where there are more, each batch is sent to it.
_MAX_ON_CARD = 2**31
# Steps whose losses a card keeps to itself, since reading them is waiting for it.
_MAX_UNREAD = 25
# Rows of a class that are compared with the held-out ones.
_N_COMPARED = 500
# A loss of this size is no loss any more.
_EXPLODED = 1e6


def check_device(device):
    """Return the name of a torch device that is there, or say that it is not."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=device).item()  # "meta" is there, and holds nothing
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"'device' must be 'auto' or a device that is there. Got {str(device)!r} ({reason}); "
            "use 'auto' or 'cpu'."
        ) from error
    return str(device)


def is_cpu(device):
    """Tell the CPU from a card."""
    return torch.device(device).type == "cpu"


class ScaledRows(Dataset):
    """Rows of an array, scaled when they are asked for: it may be memory-mapped, and large.

    Parameters
    ----------
    signals : ndarray of shape (n_samples, n_channels, n_timepoints)
        Signals in their own unit.
    rows : ndarray of int of shape (n_rows,)
        Which of them there are.
    y : ndarray of int of shape (n_rows,)
        Their classes, by which they are sorted here.
    scaler : SignalScaler
        Scales them.
    """

    def __init__(self, signals, rows, y, scaler):
        order = np.argsort(y, kind="stable")
        self.signals, self.scaler = signals, scaler
        self.rows, self.y = rows[order], torch.from_numpy(y[order])
        self.device, self.on_card = "cpu", None

    def to(self, device):
        """Put all rows on a card that has room for them; rows asked for by places there are there.

        Parameters
        ----------
        device : str
            A torch device; on the CPU rows stay where they are.
        """
        n_bytes = 4 * len(self) * math.prod(self.signals.shape[1:])
        if is_cpu(device) or n_bytes > _MAX_ON_CARD:
            return
        parts = [self[places] for places in torch.arange(len(self)).split(_CHUNK_ON_CARD)]
        X, y = (torch.cat(part).to(device) for part in zip(*parts, strict=True))
        self.device, self.on_card = device, (X, y)

    def make_portable(self):
        """Copy the rows where another process could not map the array that they are in."""
        if is_mapped_alone(self.signals):
            self.signals = take(self.signals, self.rows)
            self.rows = np.arange(len(self.rows))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, places):
        if self.on_card:
            return tuple(part[places] for part in self.on_card)
        X = self.scaler.scaled(take(self.signals, self.rows[places.numpy()]))
        return torch.from_numpy(X), self.y[places]


class BalancedBatches:
    """Draw batches in which every class has the same share, with replacement.

    Parameters
    ----------
    dataset : ScaledRows
        Signals, sorted by their classes ``dataset.y``.
    batch_size : int
        Rows of a batch.
    n_batches : int or None
        Batches of an epoch; None for one pass over as many rows as there are.
    rng : torch.Generator
        Source of randomness, on the CPU.
    """

    def __init__(self, dataset, *, batch_size, n_batches, rng):
        self.dataset = dataset
        self.batch_size = batch_size
        self.n_batches = n_batches or -(-len(dataset) // batch_size)
        self.rng = rng
        self.counts = torch.bincount(dataset.y)
        self.starts = self.counts.cumsum(0) - self.counts
        self.present = torch.nonzero(self.counts).squeeze(1)

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        shape = (self.n_batches, self.batch_size)
        # shares are equal to one row; which classes get the odd rows is drawn
        shift = torch.randint(len(self.present), (self.n_batches, 1), generator=self.rng)
        classes = self.present[(torch.arange(self.batch_size) + shift) % len(self.present)]
        place = torch.rand(shape, generator=self.rng, dtype=torch.float64) * self.counts[classes]
        for batch in (self.starts[classes] + place.long()).to(self.dataset.device):
            yield self.dataset[batch]


class AdversarialNet(NeuralNet):
    """Generator and discriminator trained against each other by skorch.

    ``module_`` is the generator, ``discriminator_`` its opponent and ``average_`` the
    exponential average of the generator, which is what signals are drawn from.

    Parameters
    ----------
    module : callable
        Builds the generator, see :class:`sktsgan.StaGANSampler`.
    discriminator : callable
        Builds the discriminator.
    criterion : callable
        Loss, see :mod:`sktsgan.losses`.
    gradient_penalty : float
        Weight of the zero-centred penalties on real and synthetic rows.
    penalty_interval : int
        Steps of the discriminator of which one is penalised, as many times as strongly.
    n_discriminator_steps : int
        Steps of the discriminator before each one of the generator.
    betas : tuple of float
        Adam's moments.
    augmentation : float
        Probability that a row is jittered in amplitude and offset before the discriminator.
    ema_decay : float
        Decay of the generator's average.
    seed : int
        Seeds everything that training draws.
    is_plain : bool
        Whether no loss or callback of the user's has a part in a step; a card may record it then.
    **kwargs : dict
        Passed to :class:`skorch.NeuralNet`.
    """

    def __init__(
        self,
        module,
        *,
        discriminator,
        criterion,
        gradient_penalty=1.0,
        penalty_interval=4,
        n_discriminator_steps=1,
        betas=(0.0, 0.99),
        augmentation=0.5,
        ema_decay=0.99,
        seed=0,
        is_plain=False,
        **kwargs,
    ):
        super().__init__(
            module,
            criterion,
            optimizer=torch.optim.Adam,
            iterator_train=BalancedBatches,
            train_split=None,
            **kwargs,
        )
        self.discriminator = discriminator
        self.gradient_penalty = gradient_penalty
        self.penalty_interval = penalty_interval
        self.n_discriminator_steps = n_discriminator_steps
        self.betas = betas
        self.augmentation = augmentation
        self.ema_decay = ema_decay
        self.seed = seed
        self.is_plain = is_plain
        self.processes = ALONE  # those that train the same net, each on rows of its own
        self.recorder = None

    def __getstate__(self):
        """Leave networks on the CPU to whoever pickles the net; loky takes those of a notebook."""
        if is_cpu(self.device):
            return self.__dict__.copy()
        return super().__getstate__()

    def __setstate__(self, state):
        """Take back what :meth:`__getstate__` gave."""
        if "__cuda_dependent_attributes__" in state:
            super().__setstate__(state)
            for name in self._networks:
                for layer in getattr(self, name, nn.Module()).modules():
                    if isinstance(layer, nn.LSTM):  # a card wants its weights in one piece
                        layer.flatten_parameters()
        else:
            self.__dict__.update(state)

    @property
    def _default_callbacks(self):
        return [(name, PassthroughScoring(name, on_train=True)) for name in self._losses]

    _losses = ("discriminator_loss", "generator_loss")

    # networks of which no rows need be tried, which a file may say are of any length
    known_to_fit = ()

    def initialize_module(self):
        """Build both networks and the generator's average."""
        self.rng_ = torch.Generator().manual_seed(self.seed)
        with _single_precision():
            self.module_, self.discriminator_ = self.module(), self.discriminator()
        if "module_" not in self.known_to_fit:
            self.check_generator()
        self.average_ = copy.deepcopy(self.module_).requires_grad_(False)
        if "discriminator_" not in self.known_to_fit:
            self.check_discriminator()
        self.n_iter_, self.unread_ = 0, []
        self.stopped_by_ = None
        return self

    def check_generator(self):
        """Try the generator, which may be the user's own, on two rows."""
        if not isinstance(getattr(self.module_, "latent_size", None), numbers.Integral):
            raise TypeError(
                "'generator' must build a module with an attribute 'latent_size', a whole number. "
                f"Got {type(self.module_).__name__} without one."
            )
        shape = self.module.keywords
        expected = (2, shape["n_channels"], shape["n_timepoints"])
        with torch.no_grad():
            z = torch.zeros(2, self.module_.latent_size, dtype=torch.float32)
            # so that no statistics follow these rows
            X = self.module_.eval()(z, torch.zeros(2, dtype=torch.long))
        if X.shape != expected:
            raise ValueError(
                f"'generator' must return signals of shape {expected} for two rows of noise. "
                f"Got {tuple(X.shape)}."
            )

    def check_discriminator(self):
        """Try a copy of the discriminator, which may be the user's own, on two rows."""
        shape = self.discriminator.keywords
        X = torch.zeros(2, shape["n_channels"], shape["n_timepoints"], dtype=torch.float32)
        lazy = any(map(is_lazy, self.discriminator_.parameters()))  # draws its weights with these
        net = self.discriminator_.eval() if lazy else copy.deepcopy(self.discriminator_)
        with torch.no_grad():
            scores = net(X, torch.zeros(2, dtype=torch.long))
        if scores.shape != (2,):
            raise ValueError(
                "'discriminator' must return scores of shape (2,) for two rows. "
                f"Got {tuple(scores.shape)}."
            )

    def initialize_criterion(self):
        """Take the loss, a function, as it is; it may be the user's own, so try it."""
        with torch.enable_grad():
            scores = [torch.zeros(2, dtype=torch.float32, requires_grad=True) for _ in range(2)]
            pair = self.criterion(*scores)
        if not (
            isinstance(pair, tuple | list)
            and len(pair) == 2
            and all(isinstance(loss, torch.Tensor) and not loss.shape for loss in pair)
        ):
            raise TypeError(
                "'loss' must return the losses of discriminator and generator, two tensors without "
                f"axes, for the scores of real and of synthetic rows. Got {pair!r} for two rows."
            )
        if not (_depends(pair[0], scores) and _depends(pair[1], scores[1:])):
            raise TypeError(
                "'loss' must return a loss of the discriminator that depends on the scores of both "
                "kinds of rows, and one of the generator that depends on those of synthetic ones. "
                "Got one without a gradient to them."
            )
        self.criterion_ = self.criterion
        return self

    def initialize_optimizer(self):
        """Give each network an optimizer of its own."""
        options = {"lr": self.lr, "betas": self.betas, "fused": True}
        options["capturable"] = self._is_cuda  # as a recorded step asks
        self.optimizer_ = self.optimizer(self.module_.parameters(), **options)
        self.discriminator_optimizer_ = self.optimizer(self.discriminator_.parameters(), **options)
        for name in self._both_optimizers:  # which warn where a step is not recorded
            getattr(self, name)._warned_capturable_if_run_uncaptured = True
        return self

    def train(self, dataset, saved=None):
        """Train for `max_epochs` epochs, from new weights where there are none.

        Parameters
        ----------
        dataset : ScaledRows
            This process's rows.
        saved : tuple of dict and dict of str to Tensor, default=None
            What a checkpoint has of this training: it goes on from there.

        Returns
        -------
        AdversarialNet
            The net itself.
        """
        in_order = fixed_order(alone=not is_cpu(self.device))
        with in_order, torch.inference_mode(False), torch.enable_grad(), self.full_precision():
            if not self.initialized_:
                with seeded(self.seed):
                    self.initialize()
            if saved:
                self.resume(*saved)
            elif self.processes.n > 1:
                self.follow_first()
                self.rng_.manual_seed(self.seed + self.n_iter_ + self.processes.rank)
            dataset.to(self.device)
            max_epochs = self.max_epochs
            self.max_epochs -= len(self.history) if saved else 0
            if self._can_be_recorded:
                self.recorder = RecordedSteps(self._update, self.device)
            try:
                self.partial_fit(dataset)
            finally:
                self.recorder = None
            self.max_epochs = max_epochs
        return self

    @property
    def _is_cuda(self):
        return torch.device(self.device).type == "cuda"

    @property
    def _can_be_recorded(self):
        """Whether each step does the same, and nothing on the CPU that has to be seen."""
        known = all(self._twice(own) is side_by_side for own in (self.module_, self.discriminator_))
        return self._is_cuda and known and self.is_plain and self.processes.n == 1

    def follow_first(self):
        """Take the first process's weights, and what else its networks have."""
        if self.processes.n > 1:
            self.restore(self.processes.of_first(self.snapshot()))

    def get_iterator(self, dataset, training=False):
        """Return the batches of an epoch, enough rows in each for all steps."""
        kwargs = self.get_params_for("iterator_train")
        batch_size = self.batch_size * self.n_discriminator_steps
        return self.iterator_train(dataset, batch_size=batch_size, rng=self.rng_, **kwargs)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Go through batches, but leave it to :meth:`on_batch_end` when to read the losses.

        Parameters
        ----------
        iterator : iterable or None
            Batches.
        training : bool
            Whether these are batches to train on.
        prefix : str
            Of what goes into the history.
        step_fn : callable
            Makes a step.
        **fit_params : dict
            Passed to it.
        """
        self.unread_ = []
        for batch in iterator or ():
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            self.history.record_batch(f"{prefix}_batch_size", len(batch[0]))
            self.notify("on_batch_end", batch=batch, training=training, **step)
        self._read_losses()

    def train_step(self, batch, **fit_params):
        """Update the discriminator, then the generator, then the average."""
        self._set_training(True)
        for name in self._both_optimizers:  # else layers that were frozen since would go on moving
            getattr(self, name).zero_grad()
        losses = self._update_both(batch)
        self._update_average()
        self.n_iter_ += 1
        self.processes.average([losses])
        self.unread_.append(losses)
        return {"loss": losses[1], "y_pred": None}

    def _update_both(self, batch):
        batch = [part.to(self.device) for part in batch]
        first = self.n_iter_ * self.n_discriminator_steps
        steps = range(first, first + self.n_discriminator_steps)
        penalised = tuple(i % self.penalty_interval == 0 for i in steps)
        return (self.recorder or self._update)(*batch, penalised)

    def _update(self, X, y, penalised):
        """Update the discriminator once for each of `penalised`, then the generator."""
        pairs = zip(X.split(self.batch_size), y.split(self.batch_size), penalised, strict=True)
        for X_real, y_real, is_penalised in pairs:
            parts = self._imitate(y_real)
            X_fake = torch.cat(parts).detach()
            weight = self.penalty_interval * self.gradient_penalty if is_penalised else 0
            discriminator_loss = self._update_discriminator(X_real, X_fake, y_real, weight)
        generator_loss = self._update_generator(X_real, X_fake, parts, y_real)
        return torch.stack([discriminator_loss, generator_loss])

    def on_batch_end(self, net, **kwargs):
        """Read the losses: on the CPU at once, on a card now and then."""
        if is_cpu(self.device) or len(self.unread_) == _MAX_UNREAD:
            self._read_losses()

    def _read_losses(self):
        """Write the last steps' losses down; stop where they show that training has run away."""
        if not self.unread_:
            return
        losses = torch.stack(self.unread_)
        rows = self.history[-1]["batches"][-len(losses) :]
        for row, values in zip(rows, losses.tolist(), strict=True):
            row.update(zip(self._losses, values, strict=True))
        self.unread_ = []
        if not (losses.abs() < _EXPLODED).all():  # NaN is caught too
            self.stop("diverged")

    def full_precision(self):
        """Keep the autocast of a caller, whose networks these are not, out."""
        return torch.autocast(torch.device(self.device).type, enabled=False)

    def stop(self, reason):
        """End training now, as skorch's own early stop does, and remember why."""
        self.stopped_by_ = reason
        raise KeyboardInterrupt

    @property
    def advice(self):
        """Say what to do where training diverges."""
        return f"Lower 'lr' (now {self.lr}) or raise 'gradient_penalty'."

    def noise(self, n_samples, rng=None):
        """Draw noise for the generator, on the net's device."""
        shape, rng = (n_samples, self.module_.latent_size), rng or self.rng_
        return self._drawn(
            lambda: torch.randn(shape, generator=rng, dtype=torch.float32, device=rng.device)
        )

    def _drawn(self, draw):
        """Have on the device what was drawn; a step that is recorded has its own way."""
        return self.recorder.drawn(draw) if self.recorder else send(draw(), self.device)

    def generate(self, z, y):
        """Turn noise and classes into signals with the averaged generator.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_size)
            Noise.
        y : Tensor of shape (n_samples,)
            Classes.

        Returns
        -------
        ndarray of shape (n_samples, n_channels, n_timepoints)
            Scaled signals.
        """
        return self._generated(z, y).cpu().numpy()

    def _generated(self, z, y, finish=None):
        self.average_.eval()
        with torch.no_grad(), self.full_precision():
            signals = self.average_(z, y.to(self.device))
        return finish(signals) if finish else signals

    def sample(self, y, rng, finish=None, dtype=np.float32):
        """Generate a signal for each class in `y`, a chunk at a time.

        Parameters
        ----------
        y : Tensor of shape (n_samples,)
            Classes.
        rng : torch.Generator
            Source of noise.
        finish : callable, default=None
            Turns scaled signals, a tensor, into what is wanted, a tensor or an array.
        dtype : dtype, default=float32
            What that is to be.

        Returns
        -------
        ndarray of shape (n_samples, n_channels, n_timepoints)
            Scaled signals, or what `finish` makes of them.
        """
        shape = self.module.keywords
        X = np.empty((len(y), shape["n_channels"], shape["n_timepoints"]), dtype=dtype)
        if self._is_cuda:
            self._sample_on_card(y, X, rng, finish)
            return X
        on_cpu = is_cpu(self.device)
        size = 2 * _CHUNK if on_cpu else _CHUNK_ON_CARD
        for start in range(0, len(y), size):
            part, place = y[start : start + size], X[start : start + size]
            n_parts = 2 if on_cpu and len(part) > 1 else 1
            parts, places = part.tensor_split(n_parts), np.array_split(place, n_parts)
            noise = [self.noise(len(own), rng) for own in parts]
            generate_into = partial(self._generate_into, finish)
            self._twice(self.average_)(generate_into, places, noise, parts)
        return X

    def _sample_on_card(self, y, X, rng, finish):
        """Draw noise where it is wanted, and take a chunk while the next one is generated."""
        seed = int(torch.randint(2**62, (), generator=rng))
        rng = torch.Generator(self.device).manual_seed(seed)
        y, waiting = send(y, self.device), []
        for start in range(0, len(y), _CHUNK_ON_CARD):
            part, place = y[start : start + _CHUNK_ON_CARD], X[start : start + _CHUNK_ON_CARD]
            signals = self._generated(self.noise(len(part), rng), part, finish)
            if not isinstance(signals, torch.Tensor):
                place[:] = signals.reshape(place.shape)
                continue
            dtype = torch.from_numpy(place).dtype  # numpy has types that torch has not
            buffer = torch.empty(signals.shape, dtype=dtype, pin_memory=True)
            buffer.copy_(signals, non_blocking=True)
            waiting.append((place, buffer, torch.cuda.current_stream(self.device).record_event()))
            if len(waiting) > 1:
                _take(*waiting.pop(0))
        for chunk in waiting:
            _take(*chunk)

    def _generate_into(self, finish, place, z, y):
        signals = self._generated(z, y, finish)
        if isinstance(signals, torch.Tensor):
            torch.from_numpy(place).copy_(signals)
        else:
            place[:] = signals.reshape(place.shape)

    def snapshot(self):
        """Copy the weights of all networks."""
        return {name: copy.deepcopy(getattr(self, name).state_dict()) for name in self._networks}

    def restore(self, weights):
        """Put copied weights back."""
        for name in self._networks:
            getattr(self, name).load_state_dict(weights[name])

    _networks = ("module_", "discriminator_", "average_")

    def tensors(self):
        """Give weights, averages, moments of the optimizers and the random state, by name."""
        tensors = {"rng_": self.rng_.get_state()}
        for name in self._networks:
            for key, value in getattr(self, name).state_dict().items():
                tensors[f"{name}.{key}"] = value
        for name in self._both_optimizers:
            for index, state in getattr(self, name).state_dict()["state"].items():
                for key, value in state.items():
                    tensors[f"{name}.{index}.{key}"] = torch.as_tensor(value)
        return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}

    def load_tensors(self, tensors):
        """Put back what :meth:`tensors` gave, into a net that is initialized.

        Parameters
        ----------
        tensors : dict of str to Tensor
            All of them.

        Raises
        ------
        ValueError
            If they are of other networks.
        """
        try:
            self.restore({name: part_of(tensors, name) for name in self._networks})
            for name in self._both_optimizers:
                optimizer, states = getattr(self, name), {}
                for key, value in part_of(tensors, name).items():
                    index, what = key.split(".")
                    states.setdefault(int(index), {})[what] = value
                _check_moments(optimizer, states)
                groups = optimizer.state_dict()["param_groups"]
                optimizer.load_state_dict({"state": states, "param_groups": groups})
            self.rng_.set_state(tensors["rng_"])
        except (RuntimeError, KeyError, TypeError, IndexError) as error:
            raise ValueError(
                "The networks must be those that were saved. These have other weights "
                f"({str(error).splitlines()[0]})."
            ) from error

    def description(self):
        """Give the numbers that go with :meth:`tensors`."""
        return {
            "n_iter": self.n_iter_,
            "stopped_by": self.stopped_by_,
            "best_iter": self.best_.best_iter_,
            "score": getattr(self.best_, "score_", None),
            "seed": self.seed,
            "classes": self.classes_.tolist(),
            "history": json.dumps(list(self.history), default=_as_json),
        }

    def set_description(self, description):
        """Put back what :meth:`description` gave.

        Parameters
        ----------
        description : dict
            The numbers.
        """
        self.n_iter_, self.stopped_by_ = description["n_iter"], description["stopped_by"]
        self.seed = description["seed"]
        self.history = History(json.loads(description["history"]))
        self.best_.best_iter_, self.best_.score_ = description["best_iter"], description["score"]

    def state(self):
        """Keep what a training changes, as it is before one.

        Returns
        -------
        tuple
            What :meth:`go_back` takes.
        """
        with torch.inference_mode(False):
            tensors = {name: value.clone() for name, value in self.tensors().items()}
        steps = [epoch["batches"] for epoch in self.history]
        return vars(self).copy(), steps, [p.requires_grad for p in self._parameters()], tensors

    def go_back(self, state):
        """Be as before a training that failed.

        Parameters
        ----------
        state : tuple
            Of :meth:`state`.
        """
        before, steps, trainable, tensors = state
        vars(self).clear()
        vars(self).update(before)
        self._place(self.device)
        del self.history[len(steps) :]
        for epoch, own in zip(self.history, steps, strict=True):
            epoch["batches"] = own
        for parameter, is_trainable in zip(self._parameters(), trainable, strict=True):
            parameter.requires_grad_(is_trainable)
        with torch.inference_mode(False):
            self.load_tensors(tensors)

    def _parameters(self):
        return [p for name in self._networks for p in getattr(self, name).parameters()]

    def move(self, device):
        """Take networks and moments to a device, where training goes on.

        Parameters
        ----------
        device : str
            A torch device.
        """
        tensors = self.tensors()
        self._place(device)
        self.initialize_optimizer()
        self.load_tensors(tensors)

    def _place(self, device):
        self.device = device
        for name in self._networks:
            getattr(self, name).to(device)

    def go_on(self, **options):
        """Take up what may change between two trainings.

        Parameters
        ----------
        **options : dict
            Parameters of the net.
        """
        vars(self).update(options)
        for epoch in self.history:  # of earlier calls: but for their number, steps would pile up
            epoch["batches"] = [{}] * len(epoch["batches"])
        self._reset_lr()
        self.stopped_by_ = None
        self.initialize_callbacks()

    def resume(self, description, tensors):
        """Put back what a checkpoint has, so that training goes on as if nothing had happened.

        Parameters
        ----------
        description : dict
            Of the file.
        tensors : dict of str to Tensor
            Of the file.
        """
        with whole_checkpoint("What training goes on from"):
            self.load_tensors(tensors)
            self.rng_.set_state(tensors[f"streams.{self.processes.rank}"])
            self.set_description(description)
            self.best_.resumed = description["kept"], part_of(tensors, "kept")
        self._reset_lr()

    def _reset_lr(self):
        """Begin with the rate of now; `initial_lr` is what a scheduler that goes on looks for."""
        for name in self._both_optimizers:
            for group in getattr(self, name).param_groups:
                group["lr"] = group["initial_lr"] = self.lr

    def check_fits(self, tensors, names):
        """Compare shapes before anything is allocated, since a file may claim any size."""
        builders = {"module_": self.module, "discriminator_": self.discriminator}
        for name in names:
            build = builders[name]
            with torch.device("meta"):
                expected = {key: value.shape for key, value in build().state_dict().items()}
            if expected != {key: value.shape for key, value in part_of(tensors, name).items()}:
                raise ValueError("The weights must be of the sizes that the parameters say.")
        self.known_to_fit = tuple(names)

    _both_optimizers = ("optimizer_", "discriminator_optimizer_")

    def _imitate(self, y):
        """Generate rows and keep how: on the CPU, where rows do not meet, two halves at once."""
        twice = self._twice(self.module_)
        halves = is_cpu(self.device) and twice is side_by_side and len(y) > 1
        n_parts = 2 if halves else 1
        z = self.noise(len(y))
        return twice(self.module_, z.tensor_split(n_parts), y.tensor_split(n_parts))

    @staticmethod
    def _twice(network):
        """Choose how a network is called twice: one that is the user's own may keep a state."""
        is_known = is_as_built(network, LSTMGenerator, ConvDiscriminator)
        return side_by_side if is_known else one_by_one

    def _update_discriminator(self, X_real, X_fake, y, penalty_weight):
        """Step on real and synthetic rows, which meet only in the loss."""

        def judge(X):
            scores = self.discriminator_(X, y)
            penalty = gradient_penalty(scores, X) if penalty_weight else 0
            return scores, penalty_weight / 2 * penalty

        def differentiate(side, slope):
            scores, penalty = side
            loss = (slope * scores).sum() + penalty
            return parameters and torch.autograd.grad(loss, parameters, allow_unused=True)

        parameters, twice = _trainable(self.discriminator_), self._twice(self.discriminator_)
        X_real, X_fake = (self._augmented(X).requires_grad_() for X in (X_real, X_fake))
        sides = twice(judge, [X_real, X_fake])
        scores = [side[0].detach().requires_grad_() for side in sides]
        loss, _ = self.criterion_(*scores)
        gradients = twice(differentiate, sides, torch.autograd.grad(loss, scores))
        self._set_gradients(parameters, gradients)
        self._notify_gradients(self.discriminator_, X_real, y)
        self.discriminator_optimizer_.step()
        return loss.detach()

    def _update_generator(self, X_real, X_fake, parts, y):
        """Step on synthetic rows, of which `parts` know how they were generated."""

        def differentiate(part, slope):
            return parameters and torch.autograd.grad(part, parameters, slope, allow_unused=True)

        parameters, twice = _trainable(self.module_), self._twice(self.discriminator_)
        X_fake.requires_grad_()
        pair = [self._augmented(X_real), self._augmented(X_fake)]
        scores = twice(lambda X: self.discriminator_(X, y), pair)
        _, loss = self.criterion_(*scores)
        (slope,) = torch.autograd.grad(loss, X_fake)
        slopes = slope.split([len(part) for part in parts])
        self._set_gradients(parameters, side_by_side(differentiate, parts, slopes))
        self._notify_gradients(self.module_, X_real, y)
        self.optimizer_.step()
        return loss.detach()

    def _set_gradients(self, parameters, gradients):
        """Sum what the parts of a batch say, and average over processes; None where none does."""
        for parameter, *parts in zip(parameters, *gradients, strict=True):
            parts = [part for part in parts if part is not None]
            parameter.grad = _laid_like(parameter, sum(parts)) if parts else None
        self.processes.average([p.grad for p in parameters if p.grad is not None])

    def _notify_gradients(self, network, X, y):
        self.notify(
            "on_grad_computed",
            named_parameters=TeeGenerator(network.named_parameters()),
            batch=(X, y),
            training=True,
        )

    def _update_average(self):
        # the average follows closely at first, so that it forgets the untrained generator
        decay = min(self.ema_decay, (1 + self.n_iter_) / (10 + self.n_iter_))
        with torch.no_grad():  # each tensor once, whatever layers share it
            for value, current in zip(_tensors(self.average_), _tensors(self.module_), strict=True):
                if value.is_floating_point():
                    value.lerp_(current, 1 - decay)
                else:
                    value.copy_(current)

    def _augmented(self, X, rng=None):
        """Jitter amplitude and offset, each of a part of the rows, differentiably."""
        if not self.augmentation:
            return X.clone()
        rng = rng or self.rng_
        options = {"size": (2, len(X), 1, 1), "generator": rng, "dtype": torch.float32}

        def draw():
            chosen = torch.rand(**options) < self.augmentation
            return 0.1 * torch.randn(**options) * chosen

        gain, offset = self._drawn(draw)
        return X * (1 + gain) + offset


def _take(place, buffer, is_there):
    is_there.synchronize()
    place[:] = buffer.numpy()


def _laid_like(parameter, gradient):
    """Give a gradient the parameter's strides; fused Adam reads both as they lie in memory."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


def _trainable(network):
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def _tensors(network):
    """List the tensors that make up a network's state, each once."""
    names = network.state_dict().keys()
    return [
        *network.parameters(),
        *(buffer for name, buffer in network.named_buffers() if name in names),
    ]


@contextmanager
def _single_precision():
    """Build networks for rows of float32, whatever torch's default is."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _as_json(value):
    """Give what a callback wrote into the history as JSON knows it: arrays as lists."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _check_moments(optimizer, states):
    """Refuse moments that are not of their parameter's shape, beyond which Adam would write."""
    (group,) = optimizer.param_groups
    for index, state in states.items():
        parameter = group["params"][index]
        places = {
            "step": torch.zeros((), dtype=torch.float32),
            "exp_avg": parameter,
            "exp_avg_sq": parameter,
        }
        for name, place in places.items():
            if state[name].shape != place.shape or state[name].dtype != place.dtype:
                raise RuntimeError(f"{name} of shape {tuple(state[name].shape)}")
        if state.keys() != places.keys():
            raise KeyError(f"moments {sorted(state)}")


def part_of(tensors, name):
    """Choose the tensors of one network or optimizer.

    Parameters
    ----------
    tensors : dict of str to Tensor
        Of several.
    name : str
        Its name, with which theirs begin.

    Returns
    -------
    dict of str to Tensor
        Its own, by the rest of their names.
    """
    prefix = f"{name}."
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }


def _depends(loss, scores):
    """Say whether a loss has a gradient to all scores."""
    if not loss.requires_grad:
        return False
    gradients = torch.autograd.grad(loss, scores, retain_graph=True, allow_unused=True)
    return all(gradient is not None for gradient in gradients)


def _met_its_end(net):
    """Say whether skorch's own early stop ended training, which does so as Ctrl-C does."""
    return any(
        isinstance(callback, EarlyStopping) and callback.misses_ == callback.patience
        for _, callback in net.callbacks_
    )


class BestByMMD(Callback):
    """Follow the held-out MMD after each epoch, keep the best weights, say when it is over.

    Parameters
    ----------
    held_out : dict of int to ndarray of shape (n_held_out, n_channels, n_timepoints)
        Scaled held-out rows of each class that has some. Without any, the last weights with
        finite losses are kept.
    patience : int or None
        Epochs without improvement after which training stops.
    """

    def __init__(self, held_out, patience=None):
        self.held_out = held_out
        self.patience = patience
        self.resumed = None  # what `state` gave in a training that goes on here

    def on_train_begin(self, net, **kwargs):
        """Fix what every epoch is compared by: bandwidths and noise."""
        self.bandwidths_ = {label: median_bandwidth(X) for label, X in self.held_out.items()}
        self.n_epochs_, self.over_ = 0, False
        if self.resumed:
            self._resume(net)
            return
        self.noise_ = net.noise(_N_COMPARED)
        self.best_score_, self.best_iter_, self.best_epoch_ = np.inf, None, len(net.history)
        self.best_weights_ = None
        if net.n_iter_:  # training goes on
            self.best_weights_, self.best_iter_ = net.snapshot(), net.n_iter_
            score = self._score(net) if self.held_out else None
            self.best_score_ = np.inf if score is None else score

    def on_epoch_end(self, net, **kwargs):
        """Measure, keep, say whether that was the last epoch."""
        self.n_epochs_ += 1
        score = self._score(net)
        if score is None:
            net.stop("diverged")
        if self.held_out:
            net.history.record("valid_mmd", score)
        best = not self.held_out or score < self.best_score_
        net.history.record("valid_mmd_best", best)
        if best:
            # the weights first: an interrupt while they are copied leaves all as it was
            self.best_weights_, self.best_epoch_ = net.snapshot(), len(net.history)
            self.best_score_, self.best_iter_ = score, net.n_iter_
        elif self.patience and len(net.history) - self.best_epoch_ >= self.patience:
            self.over_ = True

    def on_train_end(self, net, **kwargs):
        """Put the best weights back and say so where training did not end by plan."""
        if self.best_iter_ is None:
            self.best_iter_ = net.n_iter_
        if net.stopped_by_ == "diverged":
            self._end_divergence(net)
        elif net.stopped_by_ is None and self.n_epochs_ < net.max_epochs and not _met_its_end(net):
            if not net.n_iter_:
                raise KeyboardInterrupt  # nothing was learned
            warnings.warn(
                f"Training was interrupted after {net.n_iter_} iterations. What was learned is "
                f"kept: the weights of iteration {self.best_iter_}.",
                stacklevel=2,
            )
        if self.best_weights_ is not None:
            net.restore(self.best_weights_)
        net.follow_first()
        self.score_ = -self.best_score_ if np.isfinite(self.best_score_) else None
        self.forget()  # real rows stay out of a pickle
        del self.noise_

    def forget(self):
        """Let go of the real rows."""
        self.held_out, self.best_weights_, self.resumed = {}, None, None

    def state(self):
        """Give what decides which weights are kept: numbers, and tensors by name."""
        score, epoch = float(self.best_score_), self.best_epoch_
        tensors = {"noise": self.noise_.cpu()}
        for name, weights in (self.best_weights_ or {}).items():
            tensors |= {f"best.{name}.{key}": value.cpu() for key, value in weights.items()}
        return {"score": score, "iter": self.best_iter_, "epoch": epoch}, tensors

    def _resume(self, net):
        figures, tensors = self.resumed
        with whole_checkpoint("What was best so far"):
            self.best_score_, self.best_iter_ = figures["score"], figures["iter"]
            self.best_epoch_ = figures["epoch"]
            self.noise_ = tensors["noise"].to(net.device)
            best = part_of(tensors, "best")
            self.best_weights_ = {n: part_of(best, n) for n in net._networks} if best else None
            for name, weights in (self.best_weights_ or {}).items():
                if weights.keys() != getattr(net, name).state_dict().keys():
                    raise ValueError(f"the best weights of {name}")

    def _end_divergence(self, net):
        if self.best_weights_ is None:
            raise RuntimeError(
                f"Training diverged at iteration {net.n_iter_}, before any weights could be "
                f"kept. {net.advice}"
            )
        for name in net._both_optimizers:
            for state in getattr(net, name).state.values():  # its moments diverged too
                for moment in state.values():
                    moment.zero_()

    def _score(self, net):
        """Let the first process measure for all."""
        return net.processes.of_first(None if net.processes.rank else self._measure(net))

    def _measure(self, net):
        """Mean MMD^2 over the classes; None where the generator gives no finite rows.

        Classes count by the root of their held-out rows: the MMD to a handful of rows is
        mostly chance, and would choose by chance if it counted as much as that to hundreds.
        """
        scores, weights = [], []
        for label, X in (self.held_out or {0: None}).items():
            X_synthetic = net.generate(self.noise_, torch.full((_N_COMPARED,), label))
            if not np.isfinite(X_synthetic).all():
                return None
            if X is not None:
                bandwidth = self.bandwidths_[label]
                scores.append(maximum_mean_discrepancy(X, X_synthetic, bandwidth=bandwidth))
                weights.append(len(X) ** 0.5)
        return float(np.average(scores, weights=weights)) if scores else np.inf


class Patience(Callback):
    """End training where :class:`BestByMMD` says so, once others have seen the epoch."""

    def on_epoch_end(self, net, **kwargs):
        """Stop."""
        if net.best_.over_:
            net.stop("patience")


class Checkpoint(Callback):
    """Write all that training needs to go on, after each epoch, to a file.

    Parameters
    ----------
    path : Path
        The file.
    run : dict
        What tells the run from others; goes into the file.
    """

    def __init__(self, path, run):
        self.path = path
        self.run = run

    def on_epoch_end(self, net, **kwargs):
        """Write; the file before stays whole until then."""
        streams = net.processes.gather(net.rng_.get_state())
        if net.processes.rank:
            return
        figures, tensors = net.best_.state()
        tensors = net.tensors() | {f"kept.{name}": value for name, value in tensors.items()}
        tensors |= {f"streams.{rank}": stream for rank, stream in enumerate(streams)}
        description = net.description() | {"kept": figures}
        write(self.path, {"run": self.run, "net": description}, tensors)


class Progress(Callback):
    """A bar over all iterations, with the losses and the held-out MMD beside it."""

    def on_train_begin(self, net, X=None, **kwargs):
        """Start the bar."""
        n_batches = len(net.get_iterator(X, training=True))
        self.bar_ = tqdm(total=n_batches * net.max_epochs, desc="StaGAN", unit="it")

    def on_batch_end(self, net, **kwargs):
        """Move the bar."""
        self.bar_.update()

    def on_epoch_end(self, net, **kwargs):
        """Show the figures of the epoch."""
        names = {"discriminator_loss": "D", "generator_loss": "G", "valid_mmd": "MMD^2"}
        row = net.history[-1]
        self.bar_.set_postfix({names[key]: f"{row[key]:.4f}" for key in names if key in row})

    def on_train_end(self, net, **kwargs):
        """Close the bar."""
        self.bar_.close()
        self.bar_ = None
