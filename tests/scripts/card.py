"""Make steps on a card that is not there: its tensors have shapes and a device, but no numbers.

A tensor that is read, and two that meet from different devices, raise an error here.
"""

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from sktsgan import StaGANSampler
from sktsgan.datasets import make_heartbeats

CARD = "card"


def move(network):
    """Put empty parameters on the card in the place of real ones."""
    for module in network.modules():
        for name, value in module._parameters.items():
            empty = torch.empty(value.shape, device=CARD)
            module._parameters[name] = torch.nn.Parameter(empty, value.requires_grad)
        if isinstance(module, torch.nn.LSTM):
            module._init_flat_weights()


def main():
    _setup_privateuseone_for_python_backend(CARD)
    X, y = make_heartbeats(200, classes="NV", weights=[0.7, 0.3], random_state=0)
    net = StaGANSampler(max_epochs=1, steps_per_epoch=1, random_state=0).fit(X, y).net_
    with FakeTensorMode():
        for name in net._networks:
            move(getattr(net, name))
        net.device = CARD
        net.initialize_optimizer()
        batch = torch.empty(64, 1, 128, device=CARD), torch.zeros(64, dtype=torch.long, device=CARD)
        for _ in range(2):
            net.train_step(batch)
        assert [losses.device.type for _, losses in net.unread_] == [CARD, CARD]
        with pytest.raises(DataDependentOutputException):  # so it would have been before
            net._read_losses()


if __name__ == "__main__":  # all of the process is changed by it
    main()
