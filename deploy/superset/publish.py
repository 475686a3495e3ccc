"""Brings the dashboards of this folder into a Superset, asks every chart for its data, and takes changes back.

    python -m deploy.superset.publish            # import, replacing what differs, then ask every chart
    python -m deploy.superset.publish --check    # ask every chart only
    python -m deploy.superset.publish --export   # write what was changed in Superset's pages into the files

Addresses and the users come from the environment: `python -m stack env dashboards` prints the embedded ones. Superset
asks Trino as TIDEGATE_DASHBOARDS_USER, who may read gold and marts alone: never as the user that dbt runs as.
"""

# ruff: noqa: INP001, T201 -- a command of a folder that is no package

from __future__ import annotations

import argparse
import io
import os
import sys
import time
import zipfile
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import yaml

FOLDER = Path(__file__).parent / "dashboards"
ROOT = "tidegate"  # the bundle's only folder, as Superset's own exports have one
DATABASE = "databases/lake.yaml"

_TIMEOUT = httpx.Timeout(120.0)
_AT_ONCE = 4
_NUMBERED = {"datasource", "slice_id", "dashboards"}  # parameters of a chart that differ from one Superset to the next
_KINDS = ("databases", "datasets", "charts", "dashboards")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where Superset and Trino are, and as whom to sign in."""

    superset_url: str
    user: str
    password: str
    trino_url: str
    trino_user: str
    trino_password: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read them; raises SystemExit that names what is missing."""
        needed = ("TIDEGATE_SUPERSET_URL", "TIDEGATE_SUPERSET_PASSWORD", "TIDEGATE_TRINO_URL")
        if missing := [name for name in needed if not environment.get(name)]:
            raise SystemExit(
                f"{', '.join(missing)} not set: `make up PROFILE=lake`, then `make dashboards`, which sets them."
            )
        return cls(
            environment["TIDEGATE_SUPERSET_URL"].rstrip("/"),
            environment.get("TIDEGATE_SUPERSET_USER", "admin"),
            environment["TIDEGATE_SUPERSET_PASSWORD"],
            environment["TIDEGATE_TRINO_URL"],
            environment.get("TIDEGATE_DASHBOARDS_USER", "dashboards"),
            environment.get("TIDEGATE_DASHBOARDS_PASSWORD", ""),
        )

    @property
    def trino_uri(self) -> str:
        """The lake as SQLAlchemy names it, without the password: that is handed over beside it."""
        parts = urlsplit(self.trino_url)
        secure = parts.scheme == "https"
        user = quote(self.trino_user, safe="") + (":XXXXXXXXXX" if self.trino_password else "")
        port = parts.port or (443 if secure else 8080)
        return f"trino://{user}@{parts.hostname}:{port}/lake_read_only" + ("?http_scheme=https" if secure else "")


class PublishError(Exception):
    """Superset refused something, or a chart does not answer; the text says what and why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a chart was told when it asked for its data."""

    chart: str
    rows: int
    seconds: float
    error: str = ""


def bundle(folder: Path, trino_uri: str) -> bytes:
    """The files as the archive that Superset imports, with the lake's address put in."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.yaml")):
            name = path.relative_to(folder).as_posix()
            text = path.read_text(encoding="utf-8")
            if name == DATABASE:
                text = _dump({**yaml.safe_load(text), "sqlalchemy_uri": trino_uri})
            archive.writestr(f"{ROOT}/{name}", text)
    return buffer.getvalue()


@contextmanager
def signed_in(settings: Settings) -> Iterator[httpx.Client]:
    """A client with this user's token, and with the CSRF token that every change needs."""
    with httpx.Client(base_url=settings.superset_url, timeout=_TIMEOUT, trust_env=False) as client:
        who = {"username": settings.user, "password": settings.password, "provider": "db", "refresh": False}
        token = _json(client.post("/api/v1/security/login", json=who))["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        client.headers["X-CSRFToken"] = _json(client.get("/api/v1/security/csrf_token/"))["result"]
        client.headers["Referer"] = settings.superset_url
        yield client


def publish(client: httpx.Client, settings: Settings, folder: Path = FOLDER) -> None:
    """Import the files: what is there already under the same uuid is replaced, whatever else is there stays."""
    passwords = _dump_json({DATABASE: settings.trino_password}) if settings.trino_password else "{}"
    _json(
        client.post(
            "/api/v1/assets/import/",
            files={"bundle": ("dashboards.zip", bundle(folder, settings.trino_uri), "application/zip")},
            data={"passwords": passwords},
        )
    )


def ask_charts(client: httpx.Client, folder: Path = FOLDER) -> list[Answer]:
    """Ask every chart of the files for its data, past every cache, a few at a time; sorted by name."""
    wanted = {chart["uuid"]: chart["slice_name"] for chart in _files(folder, "charts")}
    query = "(columns:!(id,uuid),page_size:100,page:{page})"
    known: dict[str, int] = {}
    page = 0
    while found := _json(client.get("/api/v1/chart/", params={"q": query.format(page=page)}))["result"]:
        known |= {chart["uuid"]: chart["id"] for chart in found}
        page += 1
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = pool.map(lambda item: _ask(client, item[1], known.get(item[0])), wanted.items())
        return sorted(asked, key=lambda answer: answer.chart)


def _ask(client: httpx.Client, title: str, chart: int | None) -> Answer:
    if chart is None:
        return Answer(title, 0, 0.0, "is not in this Superset: publish first")
    began = time.perf_counter()
    response = client.get(f"/api/v1/chart/{chart}/data/", params={"force": "true"})
    seconds = time.perf_counter() - began
    if response.status_code != httpx.codes.OK:
        return Answer(title, 0, seconds, f"answers {response.status_code}: {response.text[:500]}")
    results = response.json()["result"]
    errors = [str(result["error"]) for result in results if result.get("error")]
    return Answer(title, min(result.get("rowcount") or 0 for result in results), seconds, "; ".join(errors))


def export(client: httpx.Client, folder: Path = FOLDER) -> list[Path]:
    """Write what these dashboards are in Superset now into the files; returns those that changed.

    The lake's address stays as it is in the file, and so do names of files; a new chart gets one from its title.
    """
    slugs = {dashboard["slug"] for dashboard in _files(folder, "dashboards")}
    query = "(columns:!(id,slug),page_size:100)"
    found = _json(client.get("/api/v1/dashboard/", params={"q": query}))["result"]
    numbers = ",".join(str(dashboard["id"]) for dashboard in found if dashboard["slug"] in slugs)
    if not numbers:
        raise PublishError("None of these dashboards is in this Superset: publish first")
    response = client.get("/api/v1/dashboard/export/", params={"q": f"!({numbers})"})
    if response.status_code != httpx.codes.OK:
        raise PublishError(f"The export answers {response.status_code}: {response.text[:500]}")
    return take_back(response.content, folder)


def take_back(archive: bytes, folder: Path) -> list[Path]:
    """Write an exported archive over the files of the same uuids, and new ones beside them."""
    names = {content["uuid"]: path for path, content in _paths(folder)}
    changed: list[Path] = []
    with zipfile.ZipFile(io.BytesIO(archive)) as exported:
        for member in exported.namelist():
            kind, _, rest = member.partition("/")[2].partition("/")
            if kind not in _KINDS:
                continue
            content = yaml.safe_load(exported.read(member))
            path = names.get(content["uuid"], folder / kind / _file_name(rest))
            before = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
            after = kept_stable(kind, content, before)
            if after != before:
                path.write_text(_dump(after), encoding="utf-8")
                changed.append(path)
    return changed


def kept_stable(kind: str, content: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What was exported, without what differs from one Superset to the next: addresses and numbers of rows."""
    after = dict(content)
    if kind == "databases" and before:
        return dict(before)
    if kind == "charts":
        after["params"] = {
            k: v for k, v in after["params"].items() if k not in {"datasource", "slice_id", "dashboards"}
        }
        if before and _same_question(after, before):
            return dict(before)
    if kind == "datasets":
        for part, name in (("columns", "column_name"), ("metrics", "metric_name")):
            after[part] = _in_order(after.get(part) or [], before.get(part) or [], name)
    if kind == "dashboards":
        after = _renumbered(after)
    return _without_empty(after, before)


def _in_order(items: list[dict[str, Any]], before: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Columns or metrics in the order that the file has, new ones last: Superset exports them in any order."""
    known = {item[name]: (place, item) for place, item in enumerate(before)}
    placed = sorted(items, key=lambda item: (known.get(item[name], (len(known), {}))[0], item[name]))
    return [_without_empty(item, known.get(item[name], (0, {}))[1]) for item in placed]


def _without_empty(content: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What is said; of what is not, only what the file mentions."""
    return {key: value for key, value in content.items() if key in before or value not in (None, [], {})}


def _same_question(after: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether nobody has changed the chart: the query that lies beside its parameters has numbers of rows in it."""
    told = {key: value for key, value in before["params"].items() if key not in _NUMBERED}
    return bool(after["params"] == told and after["slice_name"] == before["slice_name"])


def _renumbered(dashboard: dict[str, Any]) -> dict[str, Any]:
    """Charts numbered in the order of their names, as the filters that spare some of them refer to them."""
    charts = {k: v for k, v in sorted(dashboard["position"].items()) if isinstance(v, dict) and v["type"] == "CHART"}
    numbers = {chart["meta"]["chartId"]: number for number, chart in enumerate(charts.values(), 1)}
    for chart in charts.values():
        chart["meta"]["chartId"] = numbers[chart["meta"]["chartId"]]
    metadata = dashboard["metadata"]
    metadata["chart_configuration"] = {}
    # What a page keeps of its colours when somebody who may change it looks at it.
    metadata.pop("color_scheme_domain", None)
    metadata["shared_label_colors"] = []
    metadata.get("global_chart_configuration", {})["chartsInScope"] = []
    for chosen in metadata.get("native_filter_configuration", []):
        chosen.pop("chartsInScope", None)
        chosen.pop("tabsInScope", None)
        excluded = chosen.get("scope", {}).get("excluded", [])
        chosen.get("scope", {})["excluded"] = sorted(numbers[old] for old in excluded if old in numbers)
    return dashboard


def _file_name(exported: str) -> str:
    """`Tries_by_day_12.yaml` as `tries-by-day.yaml`."""
    stem = Path(exported).stem.rpartition("_")[0] or Path(exported).stem
    return stem.lower().replace("_", "-") + ".yaml"


def _files(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [content for path, content in _paths(folder) if path.parent.name == kind]


def _paths(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    paths = sorted(path for kind in _KINDS for path in (folder / kind).glob("*.yaml"))
    return [(path, yaml.safe_load(path.read_text(encoding="utf-8"))) for path in paths]


class _Dumper(yaml.SafeDumper):
    """Longer texts as blocks, so that SQL reads as SQL and a change of one line is one."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _dump(content: Mapping[str, Any]) -> str:
    return yaml.dump(dict(content), Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=120)


def _dump_json(content: Mapping[str, str]) -> str:
    import json

    return json.dumps({f"{ROOT}/{name}": value for name, value in content.items()} | dict(content))


def _json(response: httpx.Response) -> Any:
    if response.status_code != httpx.codes.OK:
        page = "text/html" in response.headers.get("content-type", "")
        told = "Superset's own log says why" if page else response.text[:1500]
        raise PublishError(f"Superset's {response.request.url.path} answers {response.status_code}: {told}")
    return response.json()


def _report(answers: list[Answer], may_be_empty: Collection[str]) -> int:
    failed, empty = 0, []
    for answer in answers:
        wrong = bool(answer.error) or (answer.rows == 0 and answer.chart not in may_be_empty)
        failed += wrong
        verdict = "FAILED" if wrong else "ok" if answer.rows else "empty"
        empty += [answer.chart] if verdict == "empty" else []
        print(f"  {verdict:<6} {answer.rows:>6} rows {answer.seconds:6.2f} s  {answer.chart}")
        if answer.error:
            print(f"         {answer.error}")
    expected = f", {len(empty)} of them with nothing to show, as may be: {', '.join(empty)}" if empty else ""
    print(f"{len(answers) - failed} of {len(answers)} charts answer from Trino{expected}")
    return 1 if failed else 0


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code, which is 1 when a chart does not answer."""
    parser = argparse.ArgumentParser(prog="python -m deploy.superset.publish", description=__doc__.splitlines()[0])
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="import nothing, ask every chart")
    mode.add_argument("--export", action="store_true", help="write Superset's state into the files")
    parser.add_argument("--may-be-empty", nargs="+", default=[], metavar="CHART", help="titles of charts without rows")
    chosen = parser.parse_args(arguments)
    settings = Settings.from_environment()
    try:
        with signed_in(settings) as client:
            if chosen.export:
                for path in export(client):
                    print(f"  changed {path.relative_to(FOLDER)}")
                return 0
            if not chosen.check:
                publish(client, settings)
            code = _report(ask_charts(client), chosen.may_be_empty)
    except (PublishError, httpx.TransportError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(f"Dashboards: {settings.superset_url}/dashboard/list/")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
