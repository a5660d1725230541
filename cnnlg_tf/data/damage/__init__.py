"""Old photos: a generator of damaged prints and of what only looks like damage, with the truth to learn from."""

from cnnlg_tf.data.damage.prints import IGNORED, KINDS, DamagedPrint, PrintMaker

__all__ = ["IGNORED", "KINDS", "DamagedPrint", "PrintMaker"]
