from __future__ import annotations

import json
import random

import pytest

from analytics.counting.heatmap import HeatCells, pack_cells, unpack_cells
from analytics.storage.packing import pack, unpack

BUSY = {"tracks": [[random.Random(n).random() for _ in range(8)] for n in range(100)], "cells": list(range(2000))}


def test_a_document_comes_back_as_it_was_in_fewer_bytes() -> None:
    assert unpack(pack(BUSY)) == BUSY
    assert len(pack(BUSY)) < len(json.dumps(BUSY)) / 1.5


def test_documents_of_the_first_versions_are_read() -> None:
    assert unpack(json.dumps(BUSY)) == BUSY


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError):
        pack({"a": object()})


def test_cells_come_back_as_they_were_and_in_fewer_bytes() -> None:
    heat = HeatCells({n: n / 6 for n in range(376, 2000)}, dict.fromkeys(range(300, 1900), 1))
    packed = pack_cells(heat)
    assert unpack_cells(packed, heat.shape) == HeatCells(heat.seconds, heat.visits, heat.shape)
    assert len(packed) < 1700 * 16 / 2


def test_cells_that_were_written_plain_are_read() -> None:
    # Cell 0x0178 begins like a stream of zlib.
    plain = (0x0178).to_bytes(4, "little") + bytes.fromhex("000000000000f03f") + (2).to_bytes(4, "little")
    assert unpack_cells(plain, (36, 64)) == HeatCells({376: 1.0}, {376: 2})
