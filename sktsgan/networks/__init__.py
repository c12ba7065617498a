"""The generator and the discriminator, as plain torch modules."""

from sktsgan.networks._discriminator import ConvDiscriminator
from sktsgan.networks._generator import LSTMGenerator
from sktsgan.networks._minibatch import MinibatchDiscrimination

__all__ = ["ConvDiscriminator", "LSTMGenerator", "MinibatchDiscrimination"]
