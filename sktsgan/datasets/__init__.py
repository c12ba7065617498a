"""Real and simulated labelled signals."""

from sktsgan.datasets._mitbih import fetch_mitbih
from sktsgan.datasets._segment import segment_beats
from sktsgan.datasets._simulated import make_heartbeats, make_sines

__all__ = ["fetch_mitbih", "make_heartbeats", "make_sines", "segment_beats"]
