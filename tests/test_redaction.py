"""Redaction under random input: nothing planted comes out, nothing raises, once is enough.

The template's own tests name the cases; here Hypothesis makes them up. It works on the template's modules alone, which
need nothing but the standard library for texts and plain values.
"""

import importlib
import json
import string
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.slow

OPS = Path(__file__).parents[1] / "template" / "src" / "{{ package_name }}" / "ops"
KEYS = ["password", "db_password", "token", "accessToken", "X-Api-Key", "client_secret", "passphrase", "first_name"]
FORMS = [
    "{key}={value}",
    "{key}: {value}",
    "{key}={value!r}",
    '"{key}": "{value}"',
    "'{key}': '{value}'",
    "--{key} {value}",
]
WORDS = ["order", "made", "for", "a", "customer", "in", "12", "ms", "at", "zone", "b", "status", "ok", "token", "later"]

secrets = st.text(string.ascii_letters + string.digits, min_size=12, max_size=40).filter(
    lambda text: any(char.isdigit() for char in text) and any(char.isalpha() for char in text)
)
around = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40)
plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
trees = st.recursive(
    plain,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)
relaxed = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def redactor() -> Any:
    package = types.ModuleType("template_ops")
    package.__path__ = [str(OPS)]
    sys.modules["template_ops"] = package
    return importlib.import_module("template_ops.redaction").Redactor()


def six_characters_of(secret: str, text: str, *others: str) -> list[str]:
    """Parts of a secret that are in a text and did not come there from its surroundings."""
    parts = [part for at in range(len(secret) - 5) if (part := secret[at : at + 6]) in text]
    return [part for part in parts if not any(part in other for other in others)]


@relaxed
@given(secret=secrets, key=st.sampled_from(KEYS), form=st.sampled_from(FORMS), before=around, after=around)
def test_a_secret_under_a_name_never_comes_out(
    redactor: Any, secret: str, key: str, form: str, before: str, after: str
) -> None:
    redacted = redactor.text(f"{before}\n{form.format(key=key, value=secret)}\n{after}")

    assert not six_characters_of(secret, redacted, before, after)
    assert redactor.text(redacted) == redacted


@relaxed
@given(local=secrets, domain=secrets, before=around, after=around)
def test_an_address_never_comes_out(redactor: Any, local: str, domain: str, before: str, after: str) -> None:
    redacted = redactor.text(f"{before} {local}@{domain}.example.com {after}")

    assert not six_characters_of(local, redacted, before, after)
    assert redactor.text(redacted) == redacted


@relaxed
@given(user=secrets, password=st.text(string.ascii_letters + string.digits + "/?#@:!$&*+", min_size=8), before=around)
def test_credentials_of_a_url_never_come_out(redactor: Any, user: str, password: str, before: str) -> None:
    redacted = redactor.text(f"{before} postgres://{user}:p{password}@db.internal:5432/orders")

    assert not six_characters_of(password, redacted, before, "[redacted:userinfo]@db.internal:5432/orders")
    assert redactor.text(redacted) == redacted


@relaxed
@given(tree=trees, secret=secrets, key=st.sampled_from(KEYS))
def test_a_secret_in_a_tree_never_comes_out(redactor: Any, tree: Any, secret: str, key: str) -> None:
    redacted = redactor.value({"a": [tree, {key: secret}, json.dumps([{key: secret}])], "b": tree})

    assert not six_characters_of(secret, repr(redacted), repr(tree))


@relaxed
@given(tree=trees)
def test_any_tree_is_taken_and_once_is_enough(redactor: Any, tree: Any) -> None:
    redacted = redactor.value(tree)

    assert repr(redactor.value(redacted)) == repr(redacted)


@relaxed
@given(text=st.text() | st.text("[redacted:key]=:'\"{}()@. a1-\\\n&?/%40", max_size=80))
def test_once_is_enough_for_any_text(redactor: Any, text: str) -> None:
    redacted = redactor.text(text)

    assert redactor.text(redacted) == redacted


@relaxed
@given(words=st.lists(st.sampled_from(WORDS), max_size=30))
def test_sentences_of_plain_words_stay(redactor: Any, words: list[str]) -> None:
    assert redactor.text(" ".join(words)) == " ".join(words)
