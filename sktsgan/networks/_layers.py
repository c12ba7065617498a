"""Whether a network still computes as it was built, or somebody has changed its layers."""


def as_built(network):
    """Describe the layers of a network: types and settings, in order.

    Parameters
    ----------
    network : torch.nn.Module
        The network, at the end of its ``__init__``.

    Returns
    -------
    list of tuple of type and str
        One for each layer, those within others too.
    """
    return [(type(layer), layer.extra_repr()) for layer in network.modules()][1:]


def is_as_built(network, *kinds):
    """Say whether a network is of the kinds, with the layers it was built with and no hooks.

    Where it is, its forward pass is known: it draws nothing at random and keeps no state.

    Parameters
    ----------
    network : torch.nn.Module
        The network.
    *kinds : types
        Of :class:`LSTMGenerator` and :class:`ConvDiscriminator`, which note their layers as
        ``built``.

    Returns
    -------
    bool
        Whether it is.
    """
    if type(network) not in kinds or as_built(network) != getattr(network, "built", None):
        return False
    return not any(part._forward_pre_hooks or part._forward_hooks for part in network.modules())
