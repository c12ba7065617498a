"""The adversarial net: skorch's loop around two networks, two optimizers and our own step."""

import copy
import json
import threading
from contextlib import contextmanager, nullcontext
from functools import partial

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import PassthroughScoring
from skorch.history import History
from skorch.utils import TeeGenerator, get_map_location
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils.parametrize import is_parametrized

from sktsgan._batches import BalancedBatches
from sktsgan._devices import is_cpu, is_cuda, send
from sktsgan._processes import ALONE
from sktsgan._recording import RecordedSteps
from sktsgan._store import part_of, whole_checkpoint
from sktsgan._threads import fixed_order, import_whole, one_by_one, seeded, side_by_side
from sktsgan._trials import try_discriminator, try_generator, try_loss
from sktsgan.losses import gradient_penalty
from sktsgan.networks import ConvDiscriminator, LSTMGenerator
from sktsgan.networks._layers import is_as_built

# Rows that a core generates at a time: more of them leave its cache, and are slower.
_CHUNK = 512
# Rows that a card generates at a time: fewer do not fill it.
_CHUNK_ON_CARD = 16_384
# Steps whose losses a card keeps to itself, since reading them is waiting for it.
_MAX_UNREAD = 25
# A loss of this size is no loss any more.
_EXPLODED = 1e6


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

    _networks = ("module_", "discriminator_", "average_")
    _both_optimizers = ("optimizer_", "discriminator_optimizer_")
    _losses = ("discriminator_loss", "generator_loss")
    # networks of which no rows need be tried, which a file may say are of any length
    known_to_fit = ()

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
        """Leave networks on the CPU to whoever pickles the net; loky takes those of a notebook.

        The same net gives the same pickle, of which Dask makes a name: a generator does not.
        """
        is_built_again = any(map(is_parametrized, self._layers()))  # torch pickles no such layers
        as_it_is = is_built_again or is_cpu(self.device)
        state = self.__dict__.copy() if as_it_is else super().__getstate__()
        if "rng_" in state:
            state["rng_"] = state["rng_"].get_state().numpy()
        if is_built_again:
            tensors = {name: value.numpy() for name, value in self.tensors().items()}
            state["built_again_"] = tensors, [p.requires_grad for p in self._parameters()]
            for name in (*self._networks, *self._both_optimizers):
                del state[name]
        return state

    def __setstate__(self, state):
        """Take back what :meth:`__getstate__` gave."""
        if "rng_" in state:
            stream = torch.from_numpy(state["rng_"].copy())
            state = state | {"rng_": torch.Generator()}
            state["rng_"].set_state(stream)
        if "__cuda_dependent_attributes__" in state:
            super().__setstate__(state)
            for layer in self._layers():
                if isinstance(layer, nn.LSTM):  # a card wants its weights in one piece
                    layer.flatten_parameters()
        else:
            self.__dict__.update(state)
        if "built_again_" in state:
            self._build_again(*vars(self).pop("built_again_"))
        self._be_quiet()

    def _be_quiet(self):
        """Keep optimizers on a card from warning where a step is not recorded."""
        for name in self._both_optimizers:
            if hasattr(self, name):
                getattr(self, name)._warned_capturable_if_run_uncaptured = True

    def _build_again(self, tensors, trainable):
        tensors = {name: torch.from_numpy(value.copy()) for name, value in tensors.items()}
        with fixed_order(), torch.inference_mode(False):
            with seeded(self.seed):
                self._build_networks()
            self._place(self._check_device(self.device, get_map_location(self.device)))
            self.initialize_optimizer()
            self._set_trainable(trainable)
            self.load_tensors(tensors)

    def _layers(self):
        networks = (getattr(self, name, nn.Module()) for name in self._networks)
        return [layer for network in networks for layer in network.modules()]

    @property
    def _default_callbacks(self):
        return [(name, PassthroughScoring(name, on_train=True)) for name in self._losses]

    def initialize_module(self):
        """Build both networks and the generator's average."""
        self.rng_ = torch.Generator().manual_seed(self.seed)
        self._build_networks()
        self.n_iter_, self.unread_ = 0, []
        self.stopped_by_ = None
        return self

    def _build_networks(self):
        with _single_precision():
            self.module_, self.discriminator_ = self.module(), self.discriminator()
        if "module_" not in self.known_to_fit:
            try_generator(self.module_, self.module.keywords)
        self.average_ = copy.deepcopy(self.module_).requires_grad_(False)
        if "discriminator_" not in self.known_to_fit:
            try_discriminator(self.discriminator_, self.discriminator.keywords)

    def initialize_criterion(self):
        """Take the loss, a function, as it is; it may be the user's own, so try it."""
        try_loss(self.criterion)
        self.criterion_ = self.criterion
        return self

    def initialize_optimizer(self):
        """Give each network an optimizer of its own."""
        import_whole("torch._dynamo")  # as the first optimizer does
        options = {"lr": self.lr, "betas": self.betas, "fused": True}
        options["capturable"] = self._is_cuda  # as a recorded step asks
        self.optimizer_ = self.optimizer(self.module_.parameters(), **options)
        self.discriminator_optimizer_ = self.optimizer(self.discriminator_.parameters(), **options)
        self._be_quiet()
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
        return is_cuda(self.device)

    @property
    def _can_be_recorded(self):
        """Whether each step does the same, and nothing on the CPU that has to be seen."""
        known = all(self._twice(own) is side_by_side for own in (self.module_, self.discriminator_))
        # a process records one step at a time
        is_main = threading.current_thread() is threading.main_thread()
        return self._is_cuda and known and self.is_plain and is_main and self.processes.n == 1

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
        try:
            for batch in iterator or ():
                self.notify("on_batch_begin", batch=batch, training=training)
                step = step_fn(batch, **fit_params)
                self.history.record_batch(f"{prefix}_batch_size", len(batch[0]))
                self.notify("on_batch_end", batch=batch, training=training, **step)
        except KeyboardInterrupt:  # it may have run away before
            self._read_losses()
            raise
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
        self.unread_.append((self.history[-1]["batches"][-1], losses))
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
        rows, losses = zip(*self.unread_, strict=True)
        self.unread_, losses = [], torch.stack(losses)
        for row, values in zip(rows, losses.tolist(), strict=True):
            row.update(zip(self._losses, values, strict=True))
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
                _fit_moments(optimizer, states)
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
            "trainable": [parameter.requires_grad for parameter in self._parameters()],
            "history": json.dumps(list(self.history), default=_as_json),
        }

    def set_description(self, description):
        """Put back what :meth:`description` gave.

        Parameters
        ----------
        description : dict
            The numbers.
        """
        history, score = json.loads(description["history"]), description["score"]
        if not (
            all(isinstance(description[name], int) for name in ("n_iter", "best_iter", "seed"))
            and (score is None or isinstance(score, float))
            and all(isinstance(epoch["batches"], list) for epoch in history)
        ):
            raise ValueError("its figures are of another kind")
        self.n_iter_, self.stopped_by_ = description["n_iter"], description["stopped_by"]
        self.seed = description["seed"]
        self._set_trainable(description["trainable"])
        self.history = History(history)
        self.best_.best_iter_, self.best_.score_ = description["best_iter"], score

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
        self._set_trainable(trainable)
        with torch.inference_mode(False):
            self.load_tensors(tensors)

    def _set_trainable(self, trainable):
        """Freeze layers again that a callback froze."""
        for parameter, is_trainable in zip(self._parameters(), trainable, strict=True):
            parameter.requires_grad_(is_trainable)

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
        """Begin with the rate of now; `initial_lr` is what a scheduler that goes on looks for.

        Some schedulers turn at the moments, too.
        """
        for name in self._both_optimizers:
            for group in getattr(self, name).param_groups:
                group["lr"] = group["initial_lr"] = self.lr
                group["betas"] = self.betas

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
            if not penalty_weight:
                return self.discriminator_(X, y), 0
            with nullcontext() if twice is side_by_side else _twice_differentiable():
                scores = self.discriminator_(X, y)
                return scores, penalty_weight / 2 * gradient_penalty(scores, X)

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
        pairs = zip(self.average_.parameters(), self.module_.parameters(), strict=True)
        with torch.no_grad():  # each tensor once, whatever layers share it
            for value, current in pairs:
                if value.is_floating_point():
                    value.lerp_(current, 1 - decay)
                else:
                    value.copy_(current)
        # as they are: a mean of unit vectors, which spectral normalisation has, is none
        for name, layer in self.module_.named_modules():
            own = self.average_.get_submodule(name)
            for key, value in layer.named_buffers(recurse=False):
                own.register_buffer(
                    key, value.clone(), key not in layer._non_persistent_buffers_set
                )

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


def _laid_like(parameter, value):
    """Give a gradient, or a moment, the parameter's strides: fused Adam reads them as they lie."""
    if value.stride() == parameter.stride():
        return value
    return torch.empty_like(parameter).copy_(value)


def _trainable(network):
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


@contextmanager
def _twice_differentiable():
    """Take the plain ways of attention and, on a card, of recurrent layers."""
    with sdpa_kernel(SDPBackend.MATH), torch.backends.cudnn.flags(enabled=False):
        yield


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


def _fit_moments(optimizer, states):
    """Lay moments like their parameters; refuse other shapes, beyond which Adam would write."""
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
            state[name] = _laid_like(place.detach(), state[name])
        if state.keys() != places.keys():
            raise KeyError(f"moments {sorted(state)}")
