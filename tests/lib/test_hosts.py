"""Which host names this server answers to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.hosts import answers_to, is_host

ORIGINS = ("https://weeds.example", "http://localhost:8000")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8000",
        "LOCALHOST.",
        "127.0.0.1:8000",
        "192.168.1.5",
        "[::1]:8000",
        "[fdaa::3]",
        "web:8000",  # a container's name
        "raspberry.local",
        "farm.home.arpa:8000",
        "app.internal",
        "weeds.example",
        "WEEDS.example:443",
        "field.example",
        "a.b.below.example",
    ],
)
def test_it_answers_to_its_own_names(host: str) -> None:
    assert answers_to(host, ("field.example", ".below.example"), ORIGINS)


@pytest.mark.parametrize(
    "host",
    [
        "attacker.example",
        "weeds.example.attacker.example",
        "notweeds.example",
        "below.example",  # only what is below it was allowed
        "xbelow.example",
        "field.example@attacker.example",
        "field.example/",
        "field.example:port",
        "field.example:99999",
        "[::1",
        "attacker.example#.local",
        "attacker.example\\.local",
        "attacker.example,.local",
        "",
        "1.2.3.4.attacker.example",
        "127.0.0.1.nip.example",
    ],
)
def test_it_answers_to_no_other(host: str) -> None:
    assert not answers_to(host, ("field.example", ".below.example"), ORIGINS)


@given(st.text())
def test_whatever_is_sent_is_judged(host: str) -> None:
    assert answers_to(host, (), ()) in (True, False)


@pytest.mark.parametrize("name", ["field.example", ".field.example", "localhost", "192.168.1.5"])
def test_what_can_be_allowed(name: str) -> None:
    assert is_host(name)


@pytest.mark.parametrize(
    "name",
    [
        "https://field.example",
        "field.example:8000",
        "field.example/x",
        "*",
        "*.x.example",
        "",
        ".",
        "..x",
        "a b@c",
    ],
)
def test_what_cannot_be_allowed(name: str) -> None:
    assert not is_host(name)
