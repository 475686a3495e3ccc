"""The API page needs nothing from outside."""

import re

import httpx
from fastapi import FastAPI

from services.runtime.api_pages import serve_docs


async def test_the_page_and_all_it_loads_come_from_the_application() -> None:
    app = FastAPI(docs_url=None)
    serve_docs(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gateway") as client:
        page = await client.get("/docs")
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(loaded) == 3
        answers = [await client.get(path) for path in loaded]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert "http" not in "".join(loaded)
