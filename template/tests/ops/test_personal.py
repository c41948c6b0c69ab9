"""Personal data, declared at the field: found in every kind of model, listed, and replaced."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Optional, TypeVar

import pytest
from fastapi import APIRouter, Cookie, Depends, FastAPI, Header, Query
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    computed_field,
)

from . import ops

Personal = ops.personal.Personal
Email = Annotated[str, Personal("to send the receipt", "P1Y", category="contact")]
T = TypeVar("T")


def paths(model: Any) -> list[str]:
    return [each.path for each in ops.personal.fields(model)]


# --- the declaration


@pytest.mark.parametrize(
    "retention",
    ["P1Y", "P30D", "PT12H", "P1Y6M", "P2W", "P1DT12H", "until the account is closed", "ten years, by law", "session"],
)
def test_a_retention_is_a_duration_or_words(retention: str) -> None:
    assert Personal("to deliver", retention).retention == retention


@pytest.mark.parametrize(
    "retention", ["", "P", "PT", "P1", "1Y", "P1Y2", "P1H", "PT1D", "P1YT", "p1y", "30", "a", None, 30]
)
def test_another_retention_is_refused_with_what_would_do(retention: Any) -> None:
    with pytest.raises(ValueError, match=r"use an ISO 8601 duration as 'P1Y'.* or words"):
        Personal("to deliver", retention)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"purpose": ""}, "say in words what for"),
        ({"purpose": "?"}, "say in words what for"),
        ({"category": "secret"}, "use one of ordinary, contact"),
        ({"legal_basis": "because"}, "use one of consent, contract"),
        ({"recipients": "the carrier"}, "use a list of names"),
        ({"recipients": [""]}, "use a list of names"),
    ],
)
def test_a_declaration_that_says_nothing_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Personal(**{"purpose": "to deliver", "retention": "P1Y", **options})


# --- where declarations are found


class Address(BaseModel):
    street: Annotated[str, Personal("to deliver", "P1Y")]
    country: str


class Tree(BaseModel):
    email: Email
    children: list["Tree"] = []
    parent: Optional["Tree"] = None


class Page(BaseModel, Generic[T]):
    items: list[T]


class Early(BaseModel):
    later: "Later"


class Later(BaseModel):
    email: Email


@dataclass
class Row:
    email: Email
    address: Address | None = None
    phone: Annotated[str | None, Personal("to call", "P1Y")] = None
    tags: list[str] = field(default_factory=list)


class Wide(BaseModel):
    one: Address
    maybe: Address | None = None
    many: list[Address] = []
    named: Mapping[str, list[Address]] = {}
    row: Row | None = None
    emails: list[Email] = []
    either: Address | int = 5


def test_fields_are_found_at_every_depth_in_order() -> None:
    assert paths(Wide) == [
        "one.street",
        "maybe.street",
        "many[].street",
        "named[][].street",
        "row.email",
        "row.address.street",
        "row.phone",
        "emails",
        "either.street",
    ]


def test_a_model_that_holds_itself_ends() -> None:
    assert paths(Tree) == ["email"]


def test_generic_root_and_forward_declared_models_are_opened() -> None:
    assert paths(Page[Address]) == ["items[].street"]
    assert paths(RootModel[list[Address]]) == ["root[].street"]
    assert paths(Early) == ["later.email"]
    assert paths(list[Address] | None) == ["[].street"]


def test_secrets_count_in_every_form() -> None:
    class Keys(BaseModel):
        one: SecretStr
        two: SecretBytes | None = None
        three: list[SecretStr] = []
        four: Secret[int] = Secret(5)
        plain: str = ""

    assert [(each.path, each.declared) for each in ops.personal.fields(Keys)] == [
        ("one", "secret"),
        ("two", "secret"),
        ("three", "secret"),
        ("four", "secret"),
    ]


def test_all_names_that_a_field_goes_by_are_known() -> None:
    class Named(BaseModel):
        model_config = ConfigDict(alias_generator=lambda name: name.upper())

        one: Email
        two: Annotated[
            str, Personal("to ask", "P1D"), Field(validation_alias=AliasChoices("t", AliasPath("box", "tt")))
        ]
        three: Annotated[Email, Field(serialization_alias="drei")]

        @computed_field(alias="vier")  # type: ignore[prop-decorator]
        @property
        def four(self) -> Email:
            return ""

    assert [(each.name, each.aliases) for each in ops.personal.fields(Named)] == [
        ("one", ("ONE",)),
        ("two", ("t", "tt", "TWO")),
        ("three", ("THREE", "drei")),
        ("four", ("vier",)),
    ]
    assert ops.personal.declared_names(Named) == [
        "one",
        "ONE",
        "two",
        "t",
        "tt",
        "TWO",
        "three",
        "THREE",
        "drei",
        "four",
        "vier",
    ]


def test_what_only_a_type_checker_knows_hides_no_other_field() -> None:
    @dataclass
    class Odd:
        other: "Nowhere"  # type: ignore[name-defined]  # noqa: F821
        token: SecretStr

    Odd.__annotations__["token"] = SecretStr

    assert paths(Odd) == ["token"]


# --- the inventory


def application() -> FastAPI:
    app, router, mounted = FastAPI(), APIRouter(prefix="/v1"), FastAPI()

    def signed_in(x_session: Annotated[SecretStr, Header()]) -> str:
        return x_session.get_secret_value()

    @router.post("/customers/{number}", dependencies=[Depends(signed_in)])
    async def change(
        number: Annotated[str, Personal("to find the customer", "P1Y")],
        address: Address,
        mail: Annotated[
            str, Query(alias="e"), Personal("to search", "P1D", category="contact", recipients=["the mailer"])
        ],
        seen: Annotated[str | None, Cookie(), Personal("to greet", "P7D")] = None,
        page: int = 1,
    ) -> list[Address]:
        return [address]

    @mounted.get("/rows")
    async def rows() -> Page[Later]:
        raise NotImplementedError

    app.include_router(router, prefix="/api")
    app.mount("/inner", mounted)
    return app


class Settings(ops.settings.OpsSettings):  # type: ignore[misc]
    api_secret: SecretStr = SecretStr("x" * 20)


def test_the_inventory_says_where_each_field_is_used() -> None:
    rows = ops.personal.inventory(application(), Settings, [Row])
    used = [(row["model"], row["field"], row["used"]) for row in rows if row["model"] != "Settings"]

    assert used == [
        ("Address", "[].street", ["POST /api/v1/customers/{number} response"]),
        ("Address", "street", ["POST /api/v1/customers/{number} body"]),
        ("Page[Later]", "items[].email", ["GET /inner/rows response"]),
        ("Row", "address.street", []),
        ("Row", "email", []),
        ("Row", "phone", []),
        ("parameter", "mail", ["POST /api/v1/customers/{number} query"]),
        ("parameter", "number", ["POST /api/v1/customers/{number} path"]),
        ("parameter", "seen", ["POST /api/v1/customers/{number} cookie"]),
        ("parameter", "x_session", ["POST /api/v1/customers/{number} header"]),
    ]
    assert {"api_secret", "status.tokens"} <= {row["field"] for row in rows if row["used"] == ["settings"]}


def test_the_inventory_is_plain_data_in_the_same_order_each_time() -> None:
    rows = ops.personal.inventory(application(), Settings())
    (mail,) = (row for row in rows if row["field"] == "mail")

    assert rows == ops.personal.inventory(application(), Settings())
    assert mail == {
        "model": "parameter",
        "field": "mail",
        "kind": "personal",
        "purpose": "to search",
        "retention": "P1D",
        "category": "contact",
        "legal_basis": None,
        "recipients": ["the mailer"],
        "used": ["POST /api/v1/customers/{number} query"],
    }


def test_the_inventory_is_a_table_for_people() -> None:
    text = ops.personal.markdown(ops.personal.inventory(models=[Address, Settings]))

    assert "| Address | street | to deliver | P1Y | ordinary | – | – | – |\n" in text
    assert len({line.count("|") for line in text.splitlines()}) == 1


def test_declared_names_of_an_application_include_its_parameters() -> None:
    assert {"number", "mail", "e", "seen", "x_session", "x-session", "street", "email"} == set(
        ops.personal.declared_names(application())
    )


# --- in logs


def test_an_instance_for_a_log_has_its_declared_and_secret_fields_replaced() -> None:
    row = Row("a@example.com", Address(street="Storgata 1", country="NO"), None, ["x"])

    assert ops.personal.serialised(row) == {
        "email": "[redacted:personal]",
        "address": {"street": "[redacted:personal]", "country": "NO"},
        "phone": None,
        "tags": ["x"],
    }
    assert ops.personal.serialised([{"a": SecretStr("s")}]) == [{"a": "[redacted:secret]"}]


def test_an_instance_that_holds_itself_ends() -> None:
    tree = Tree(email="a")
    tree.parent = tree

    assert "[too deep]" in str(ops.personal.serialised(tree))
    assert "[too deep]" in str(ops.redaction.Redactor().value(tree))
