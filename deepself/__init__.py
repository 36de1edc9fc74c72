"""deepself: which deep model classifies these recordings best, and how sure are we?"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from deepself.inference.bundle import Bundle

__version__ = "0.1.0"


def load(bundle: "str | Path", device: str = "auto") -> "Bundle":
    """Load a model or fusion that `deepself export` wrote; no code in it is executed.

    Parameters
    ----------
    bundle
        Its folder.
    device
        `auto`, a GPU where there is one; `cpu`; or `cuda`.

    Returns
    -------
    Bundle
        What predicts: `deepself.load("bundle").predict("recording.wav").label`.

    Raises
    ------
    deepself.errors.UserError
        It is no bundle, damaged, or of another version; the message says what to do.
    """
    from deepself.inference.bundle import Bundle  # it brings torch, which the workflow must not

    return Bundle(bundle, device)
