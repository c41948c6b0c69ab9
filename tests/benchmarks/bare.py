"""The same API as a new service has, on bare FastAPI: no log line, no metrics, no ids, no limits."""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, FastAPI, HTTPException, Path
from pydantic import BaseModel, Field

router = APIRouter(prefix="/v1", tags=["quotes"])

VAT_PERCENT = {"DE": 19, "DK": 25, "NO": 25, "SE": 25}


class VatRate(BaseModel):
    country: str = Field(description="ISO 3166-1 alpha-2 code.")
    percent: int


class Line(BaseModel):
    quantity: int = Field(ge=1, le=10_000)
    unit_price: Decimal = Field(ge=0, le=1_000_000, decimal_places=2)


class Order(BaseModel):
    country: str = Field(pattern=r"^[A-Z]{2}$")
    lines: list[Line] = Field(min_length=1, max_length=100)


class Quote(BaseModel):
    currency: str
    net: Decimal
    vat: Decimal
    total: Decimal


def vat_percent(country: str) -> int:
    if country not in VAT_PERCENT:
        raise HTTPException(404, "There is no VAT rate for this country.")
    return VAT_PERCENT[country]


@router.get("/vat-rates/{country}")
async def get_vat_rate(country: Annotated[str, Path(pattern=r"^[A-Z]{2}$")]) -> VatRate:
    """The VAT rate that quotes for a country are made with."""
    return VatRate(country=country, percent=vat_percent(country))


@router.post("/quotes")
async def create_quote(order: Order) -> Quote:
    """What an order would cost."""
    percent = vat_percent(order.country)
    net = sum((line.quantity * line.unit_price for line in order.lines), Decimal(0))
    vat = (net * percent / 100).quantize(Decimal("0.01"))
    return Quote(currency="EUR", net=net, vat=vat, total=net + vat)


app = FastAPI()
app.include_router(router)
