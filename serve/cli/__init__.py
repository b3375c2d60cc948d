"""The commands of ``footfall``, one module per subject."""
