import pytest
import yaml
from dbt.clients.jinja import get_rendered
from pydantic import SecretStr

from mlops.pipelines.lib.trino_connection import connected
from mlops.pipelines.settings import LakeSettings, LakeSettingsError
from stack.home import REPOSITORY_ROOT

LAKE = LakeSettings(
    catalog_url="http://127.0.0.1:1", catalog_warehouse="s3://lake",
    s3_access_key_id="own", s3_secret_access_key=SecretStr("own"), s3_region="us-east-1",
)  # fmt: skip


def test_a_password_is_sent_to_nobody_in_the_clear() -> None:
    told = {"trino_url": "http://trino.example:8080", "trino_password": SecretStr("let-me-in")}
    with (
        pytest.raises(LakeSettingsError, match="goes over https alone") as error,
        connected(LAKE.model_copy(update=told), "a test"),
    ):
        pass
    assert "let-me-in" not in str(error.value)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ("none", "http", "127.0.0.1", "8080")),
        ({"TIDEGATE_TRINO_URL": "http://trino:8081"}, ("none", "http", "trino", "8081")),
        (
            {"TIDEGATE_TRINO_URL": "https://trino.example", "TIDEGATE_TRINO_PASSWORD": "x"},
            ("ldap", "https", "trino.example", "443"),
        ),
        (
            {"TIDEGATE_TRINO_URL": "https://trino.example:8443/", "TIDEGATE_TRINO_PASSWORD": "x"},
            ("ldap", "https", "trino.example", "8443"),
        ),
    ],
)
def test_dbt_asks_where_and_how_the_others_do(environment: dict[str, str], expected: tuple[str, ...]) -> None:
    profile = yaml.safe_load((REPOSITORY_ROOT / "dbt" / "profiles.yml").read_text())["tidegate"]["outputs"]["lake"]
    context = {"env_var": environment.get}
    fields = ("method", "http_scheme", "host", "port")
    assert tuple(get_rendered(profile[field], context) for field in fields) == expected
