"""How steps are carried out on a GPU: all state in its memory, a step one recorded graph of kernels and products.

Every kernel stands beside its plain formula, which NumPy carries out where there is no GPU: the tests hold the text
of each against it, and whole runs against those of the CPU.
"""

from engine.gpu import activation, batch, loss, mask, normalization, totals, update
from engine.gpu.kernel import KERNELS

__all__ = ["KERNELS", "activation", "batch", "loss", "mask", "normalization", "totals", "update"]
