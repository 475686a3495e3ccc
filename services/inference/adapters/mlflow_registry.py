"""The model registry over MLflow's REST interface; artifacts come through its server, not from the object storage."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

import httpx

from services.inference.model_store import Named, UnusableArtifactError, VersionId
from services.inference.serving import ALIASES, Alias, QuestionName
from services.runtime.errors import NeighbourUnavailableError

_API: Final = "api/2.0/mlflow"
_ARTIFACTS: Final = "api/2.0/mlflow-artifacts/artifacts"
_SCHEME: Final = "mlflow-artifacts:"
_NOT_FOUND: Final = 404
_SERVER_TROUBLE: Final = 500
_MOST_FILES: Final = 200
_MOST_BYTES: Final = 512 << 20
_METADATA: Final = "metadata.json"


class MlflowRegistry:
    """A Registry. Used by one thread at a time."""

    def __init__(self, url: str, *, auth: tuple[str, str] | None, timeout_seconds: float) -> None:
        self._client = httpx.Client(base_url=url.rstrip("/") + "/", auth=auth, timeout=timeout_seconds, trust_env=False)
        self._known: dict[tuple[str, str], VersionId] = {}

    def aliased(self, names: Mapping[QuestionName, str]) -> Named:
        """Which versions the aliases stand for now; a name that is not registered has none."""
        found: dict[tuple[QuestionName, Alias], VersionId] = {}
        known: dict[tuple[str, str], VersionId] = {}
        for question, name in names.items():
            model = self._get(f"{_API}/registered-models/get", {"name": name})
            versions = {
                entry["alias"]: str(entry["version"])
                for entry in (model or {}).get("registered_model", {}).get("aliases", [])
            }
            for alias in ALIASES:
                if (number := versions.get(alias)) is not None:
                    version = self._known.get((name, number)) or self._version(name, number)
                    known[name, number] = found[question, alias] = version
        self._known = known
        return found

    def fetch(self, version: VersionId, folder: Path) -> None:
        """Download the artifact's folder, the one that holds metadata.json."""
        where = self._found(
            f"{_API}/model-versions/get-download-uri", {"name": version.name, "version": version.version}
        )["artifact_uri"]
        if not where.startswith(_SCHEME):
            raise UnusableArtifactError(
                f"its artifact is at {where.partition(':')[0]}:, and not behind MLflow; "
                "run the server with --serve-artifacts and log the model again"
            )
        root = where.removeprefix(_SCHEME)
        root = root.removeprefix("//").partition("/")[2] if root.startswith("//") else root.lstrip("/")
        files = list(self._files(root, PurePosixPath()))
        inside = next((file.parent for file, _ in files if file.name == _METADATA), None)
        if inside is None:
            raise UnusableArtifactError(f"no {_METADATA} among its {len(files)} files: it is no model of this project")
        if sum(size for _, size in files) > _MOST_BYTES:
            raise UnusableArtifactError(f"it is larger than {_MOST_BYTES >> 20} MiB")
        for file, _ in files:
            if file.parent == inside:
                (folder / file.name).write_bytes(self._download(f"{root}/{file}"))

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    def _version(self, name: str, number: str) -> VersionId:
        told = self._found(f"{_API}/model-versions/get", {"name": name, "version": number})["model_version"]
        made_of = f"{self._client.base_url}|{told.get('source')}|{told.get('creation_timestamp')}"
        return VersionId(name, number, hashlib.sha256(made_of.encode()).hexdigest()[:16])

    def _files(self, root: str, folder: PurePosixPath) -> Iterator[tuple[PurePosixPath, int]]:
        listed = self._found(_ARTIFACTS, {"path": str(PurePosixPath(root) / folder)}).get("files", [])
        if len(listed) > _MOST_FILES:
            raise UnusableArtifactError(f"more than {_MOST_FILES} files in one folder")
        for entry in listed:
            path = folder / PurePosixPath(entry["path"]).name
            if entry.get("is_dir"):
                yield from self._files(root, path)
            else:
                yield path, int(entry.get("file_size") or 0)

    def _download(self, path: str) -> bytes:
        response = self._answer(f"{_ARTIFACTS}/{path}", {})
        if not response.is_success:
            raise UnusableArtifactError(f"MLflow answers {response.status_code} to a download; log the model again")
        return response.content

    def _found(self, path: str, query: Mapping[str, str]) -> Any:
        answer = self._get(path, query)
        if answer is None:
            raise UnusableArtifactError(
                f"MLflow has no {path.rpartition('/')[2]} of {dict(query)}; log the model again"
            )
        return answer

    def _get(self, path: str, query: Mapping[str, str]) -> Any:
        """The answer; None where there is no such thing."""
        response = self._answer(path, query)
        if response.status_code == _NOT_FOUND:
            return None
        try:
            return response.raise_for_status().json()
        except (httpx.HTTPStatusError, ValueError) as error:
            raise NeighbourUnavailableError("MLflow", f"it answers {response.status_code} to {path}") from error

    def _answer(self, path: str, query: Mapping[str, str]) -> httpx.Response:
        try:
            response = self._client.get(path, params=query)
        except httpx.HTTPError as error:
            raise NeighbourUnavailableError("MLflow", type(error).__name__) from error
        if response.status_code >= _SERVER_TROUBLE:
            raise NeighbourUnavailableError("MLflow", f"it answers {response.status_code}")
        return response
