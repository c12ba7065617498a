"""Steps on a CUDA card, recorded: launched whole, and not a few hundred small pieces of work."""

import torch

from sktsgan._devices import send

# Steps of a kind before it is recorded, in which libraries set up what may not be set up then.
_N_PLAIN = 3


class RecordedSteps:
    """Make a step as a CUDA graph, once it has been made a few times as it is.

    Parameters
    ----------
    step : callable
        ``step(X, y, kind)`` returns a tensor. Of one `kind` it does the same each time, with
        batches of one size, and has from :meth:`drawn` what it draws at random.
    device : str
        The card.
    """

    def __init__(self, step, device):
        self.step = step
        self.device = device
        self._counts, self._graphs = {}, {}
        self._noted, self._places = [], None

    def __call__(self, X, y, kind):
        """Make a step.

        Parameters
        ----------
        X, y : Tensor
            The batch, on the card.
        kind : hashable
            Of the step.

        Returns
        -------
        Tensor
            What the step returns.
        """
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        if count <= _N_PLAIN:
            self._noted = []
            result = self.step(X, y, kind)
            if count == _N_PLAIN:
                self._graphs[kind] = self._record(X, y, kind)
            return result
        graph, batch, noted, result = self._graphs[kind]
        for place, part in zip(batch, (X, y), strict=True):
            place.copy_(part)
        for place, draw in noted:
            place.copy_(send(draw(), self.device))
        graph.replay()
        return result.clone()

    def drawn(self, draw):
        """Draw, or, while a step is recorded, give the place where each will find what is drawn.

        Parameters
        ----------
        draw : callable
            Draws on the CPU.

        Returns
        -------
        Tensor
            On the card.
        """
        if self._places is not None:
            return next(self._places)
        place = send(draw(), self.device)
        self._noted.append((place, draw))
        return place

    def _record(self, X, y, kind):
        """Record a step like the one that was just made, without making it.

        What goes in lies outside of the graph's own memory, in which places are used again.
        """
        graph, batch, noted = torch.cuda.CUDAGraph(), (X.clone(), y.clone()), self._noted
        self._places = iter([place for place, _ in noted])
        try:
            stream = torch.cuda.Stream(X.device)  # torch's own may be another card's
            with torch.cuda.device(X.device), torch.cuda.graph(graph, stream=stream):
                result = self.step(*batch, kind)
        finally:
            self._places = None
        return graph, batch, noted, result
