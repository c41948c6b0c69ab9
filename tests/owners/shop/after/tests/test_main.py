"""The shop's routes do what callers rely on."""

from fastapi.testclient import TestClient


def test_an_item_is_read(client: TestClient) -> None:
    assert client.get("/items/1").json() == {"item": "item 1"}
