"""The page's frame; what it does is looked at in a real browser."""

from __future__ import annotations

import re

from fastapi.testclient import TestClient

from serve.api.page import MODULES, STATIC


def test_the_frame_names_every_module_so_that_a_browser_asks_for_all_at_once(api: TestClient) -> None:
    answer = api.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    named = re.findall(r'<link rel="modulepreload" href="([^"]+)">', answer.text)
    assert len(named) == len(set(named)) == sum(len(list((STATIC / folder).glob("*.js"))) for folder in MODULES)
    for path in named:
        assert api.get(f"/{path}").status_code == 200
    assert answer.text.index("modulepreload") < answer.text.index('<script type="module" src="static/main.js">')
