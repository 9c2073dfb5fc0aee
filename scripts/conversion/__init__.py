"""From a PyTorch checkpoint to a model folder: read, recognised, merged, checked, exported and compared."""


class Refused(ValueError):
    """Why a checkpoint is not converted, in lines for the person who asked; nothing was written."""
