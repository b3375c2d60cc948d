"""The control plane: which streams there are, which reader has which, and what readers are told."""
