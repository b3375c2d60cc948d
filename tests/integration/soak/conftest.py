"""The PostgreSQL of the storage tests serves here, too."""

from tests.analytics.storage.conftest import Postgres, postgres

__all__ = ["Postgres", "postgres"]
