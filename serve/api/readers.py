"""Who holds the cameras."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from serve.api.dependencies import InRegistry
from serve.api.errors import RESPONSES
from serve.api.routing import KnownParameters
from serve.api.security import Viewer

router = APIRouter(prefix="/api/v1", dependencies=[Viewer, KnownParameters], responses=RESPONSES, tags=["readers"])


class ReaderAnswer(BaseModel):
    """A reader, and how it is filled."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "footfall#StreamReader#ab12cd",
                "node": "9c1f0e",
                "capacity": 2.0,
                "wanted": 1.37,
                "streams": 6,
                "leaving": False,
            }
        }
    )
    name: str = Field(description="As in a stream's `reader`.")
    node: str = Field(description="Of the cluster, where it runs.")
    capacity: float = Field(description="CPU cores that it takes streams for.")
    wanted: float = Field(description="CPU cores that its streams want; beyond its capacity, frames are skipped.")
    streams: int
    leaving: bool = Field(description="It hands back what it has.")


@router.get("/readers")
async def list_readers(registry: InRegistry) -> list[ReaderAnswer]:
    """All readers that are there, by name."""
    readers = (await registry.overview()).readers
    return [
        ReaderAnswer(
            name=name,
            node=reader.node,
            capacity=round(reader.capacity, 3),
            wanted=round(reader.wanted, 3),
            streams=reader.streams,
            leaving=reader.leaving,
        )
        for name, reader in sorted(readers.items())
    ]
