"""The API's promises. The fixture `client` is the whole service, running; it comes from `ops/testing.py`."""

from fastapi.testclient import TestClient


def test_a_quote_adds_the_vat_of_the_country(client: TestClient) -> None:
    order = {"country": "NO", "lines": [{"quantity": 3, "unit_price": "19.90"}]}

    answer = client.post("/v1/quotes", json=order)

    assert answer.status_code == 200
    assert answer.json() == {"currency": "EUR", "net": "59.70", "vat": "14.93", "total": "74.63"}


def test_an_unknown_country_is_a_problem_that_names_the_request(client: TestClient) -> None:
    answer = client.get("/v1/vat-rates/XX", headers={"X-Request-ID": "abc-1"})

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == "abc-1"


def test_the_vat_rate_of_a_country_is_told(client: TestClient) -> None:
    assert client.get("/v1/vat-rates/DE").json() == {"country": "DE", "percent": 19}
