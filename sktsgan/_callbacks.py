"""What follows a training: the best weights by MMD, patience, checkpoints, the bar."""

import warnings

import numpy as np
import torch
from skorch.callbacks import Callback, EarlyStopping
from tqdm.auto import tqdm

from sktsgan._store import part_of, whole_checkpoint, write
from sktsgan.metrics._mmd import maximum_mean_discrepancy, median_bandwidth

# Rows of a class that are compared with the held-out ones.
_N_COMPARED = 500


class BestByMMD(Callback):
    """Follow the held-out MMD after each epoch, keep the best weights, say when it is over.

    Parameters
    ----------
    held_out : dict of int to ndarray of shape (n_held_out, n_channels, n_timepoints)
        Scaled held-out rows of each class that has some. Without any, the last weights with
        finite losses are kept.
    patience : int or None
        Epochs without improvement after which training stops.
    iter_before : int, default=None
        Steps after which the net had its weights, where it goes on: it may have made more since.
    """

    def __init__(self, held_out, patience=None, iter_before=None):
        self.held_out = held_out
        self.patience = patience
        self.iter_before = iter_before
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
            self.best_weights_, self.best_iter_ = net.snapshot(), self.iter_before
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
            tensors |= {
                f"best.{name}.{key}": value.cpu().contiguous() for key, value in weights.items()
            }
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
                last = getattr(net, name).state_dict()
                if weights.keys() != last.keys() or not all(
                    value.shape == last[key].shape
                    and (value.isfinite() >= last[key].cpu().isfinite()).all()
                    for key, value in weights.items()
                ):
                    raise ValueError(f"the best weights of {name}")
            if not isinstance(self.best_score_, float):
                raise ValueError("the best score")

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
            noise = self.noise_.clone()  # which a generator may change
            X_synthetic = net.generate(noise, torch.full((_N_COMPARED,), label))
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
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)  # it may have been cleared away
            write(self.path, {"run": self.run, "net": description}, tensors)
        except OSError as error:  # as of a full disk, or a virus scanner that has the file open
            warnings.warn(
                f"{self.path} could not be written after epoch {len(net.history)} ({error}). "
                "Training goes on; a run that is resumed begins at the last epoch that was.",
                stacklevel=2,
            )


class Progress(Callback):
    """A bar over all iterations, with the losses and the held-out MMD beside it."""

    def on_train_begin(self, net, X=None, **kwargs):
        """Start the bar."""
        n_batches = len(net.get_iterator(X, training=True))
        self.bar_ = tqdm(total=n_batches * net.max_epochs, desc="StaGAN", unit="it")

    def on_batch_end(self, net, **kwargs):
        """Move the bar."""
        self.bar_.update()

    def on_epoch_begin(self, net, **kwargs):
        """Show the figures of the epoch before, which others have added to once it was over."""
        self._show(net.history[-2:-1])

    def on_train_end(self, net, **kwargs):
        """Show those of the last epoch, and close the bar."""
        self._show(net.history[-1:])
        self.bar_.close()
        self.bar_ = None

    def _show(self, epochs):
        names = {"discriminator_loss": "D", "generator_loss": "G", "valid_mmd": "MMD^2"}
        for epoch in epochs:
            own = {names[key]: f"{epoch[key]:.4f}" for key in names if key in epoch}
            self.bar_.set_postfix(own)


def _met_its_end(net):
    """Say whether skorch's own early stop ended training, which does so as Ctrl-C does."""
    return any(
        isinstance(callback, EarlyStopping) and callback.misses_ == callback.patience
        for _, callback in net.callbacks_
    )
