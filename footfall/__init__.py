"""Footfall for other programs: a client of its REST API. It stands alone; nothing of the service is imported here."""

from footfall.client import ApiProblem, Client, Unreachable

__all__ = ["ApiProblem", "Client", "Unreachable"]
