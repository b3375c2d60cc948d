"""Footfall for other programs: a client of its REST API. It stands alone; nothing of the service is imported here."""

from footfall.calls import ApiProblem, Unreachable
from footfall.client import Client

__all__ = ["ApiProblem", "Client", "Unreachable"]
