"""Feast's form of the online store's address."""

import pytest

from mlops.features.repo.store import RedisUrlError, connection_string


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://127.0.0.1:7001/2", "127.0.0.1:7001,db=2"),
        ("redis://cache.internal", "cache.internal:6379,db=0"),
        ("redis://:s%40cret@h:1/0", "h:1,db=0,password=s@cret"),
        ("rediss://me:word@h:1", "h:1,db=0,ssl=true,username=me,password=word"),
    ],
)
def test_an_address_keeps_its_meaning(url: str, expected: str) -> None:
    assert connection_string(url) == expected


@pytest.mark.parametrize("url", ["localhost:6379", "http://h:1", "redis://"])
def test_what_is_no_address_is_refused_with_a_remedy(url: str) -> None:
    with pytest.raises(RedisUrlError, match="redis://host:port/db"):
        connection_string(url)


def test_a_password_that_feast_would_take_apart_is_refused_and_not_told() -> None:
    with pytest.raises(RedisUrlError) as refusal:
        connection_string("redis://:one,two@h:1")
    assert "one" not in str(refusal.value).replace("without one", "")
