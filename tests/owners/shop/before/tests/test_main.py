from fastapi.testclient import TestClient

from shop.main import app


def test_an_item_is_read() -> None:
    assert TestClient(app).get("/items/1").json() == {"item": "item 1"}
