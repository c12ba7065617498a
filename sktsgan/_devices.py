"""Torch devices: which there are, and sending to them."""

import torch


def check_device(device):
    """Return the name of a torch device that is there, or say that it is not.

    Parameters
    ----------
    device : str or torch.device
        The device, or "auto" for a CUDA card where there is one, else the CPU.

    Returns
    -------
    str
        Its name.

    Raises
    ------
    ValueError
        If it is not there.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=device).item()  # "meta" is there, and holds nothing
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"'device' must be 'auto' or a device that is there. Got {str(device)!r} ({reason}); "
            "use 'auto' or 'cpu'."
        ) from error
    return str(device)


def is_cpu(device):
    """Tell the CPU from a card.

    Parameters
    ----------
    device : str or torch.device
        A torch device.

    Returns
    -------
    bool
        Whether it is the CPU.
    """
    return torch.device(device).type == "cpu"


def is_cuda(device):
    """Tell an NVIDIA card from other devices.

    Parameters
    ----------
    device : str or torch.device
        A torch device.

    Returns
    -------
    bool
        Whether it is such a card.
    """
    return torch.device(device).type == "cuda"


def send(numbers, device):
    """Send what was drawn on the CPU to a device, without waiting until it is there.

    Parameters
    ----------
    numbers : Tensor
        Where they were drawn.
    device : str
        A torch device.

    Returns
    -------
    Tensor
        On the device.
    """
    if is_cuda(device) and not numbers.is_cuda:
        return numbers.pin_memory().to(device, non_blocking=True)
    return numbers.to(device)
