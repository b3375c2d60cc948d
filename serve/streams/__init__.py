"""The data plane: one stream from its packets to its rows, in the service and on the desk."""
