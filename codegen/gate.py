"""The gate around the contracts: lint, format, no breaking change, nothing generated out of date.

Run as `python -m codegen.gate`. The breaking check (rule set FILE) compares twice. With the history: where the branch
left origin/main; without such a branch, HEAD while contract changes are uncommitted, else the parent of the last commit
that touched the contracts. And, so that no row of commits gets past it, with gen/contracts.binpb: `make gen` refuses to
generate a break, and what `make gen` did not generate is drift.
"""

import filecmp
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from codegen import dbt_sources, published, python
from codegen.image import ROOT, GenerationError, place_validate_proto, run, tool

_CONTRACTS = ("proto", "buf.yaml")


def check_style(workspace: Path) -> None:
    """Lint and format of the workspace's contracts."""
    place_validate_proto(workspace)
    run(tool("buf"), "lint", cwd=workspace)
    try:
        run(tool("buf"), "format", "--diff", "--exit-code", "proto", cwd=workspace)
    except GenerationError as error:
        raise GenerationError(f"{error}\nrun `make format`") from error


def check_breaking(workspace: Path, base: Path) -> None:
    """Refuse what would break a reader of the contracts in `base`, another workspace."""
    for side in (workspace, base):
        place_validate_proto(side)
    run(tool("buf"), "breaking", "--against", str(base), cwd=workspace)


def check_drift() -> None:
    """Refuse generated code that is not what the contracts generate."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        python.generate(fresh)
        differing = sorted({*_differences(fresh, python.OUT), *_differences(python.OUT, fresh)})
        published.write(fresh / published.PUBLISHED.name)
        if (fresh / published.PUBLISHED.name).read_bytes() != published.PUBLISHED.read_bytes():
            differing.append(published.PUBLISHED.name)
    differing += _differing_sources()
    if differing:
        raise GenerationError(
            "generated files are out of date; run `make gen` and commit:\n  " + "\n  ".join(differing)
        )


def _differing_sources() -> list[str]:
    """What `make gen` writes into the dbt project beside models that people write."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        dbt_sources.generate(fresh)
        return [f"dbt/{file}" for file in _differences(fresh, dbt_sources.OUT)]


def base_revision(repository: Path = ROOT) -> str | None:
    """The commit to compare contracts with; None outside git and on the first commit.

    Raises GenerationError in a shallow clone: an earlier commit exists and is not here to compare with.
    """
    if _git(repository, "rev-parse", "--is-shallow-repository") == "true":
        raise GenerationError(
            "This clone is shallow, so contracts cannot be compared with earlier ones; run: git fetch --unshallow"
        )
    head = _git(repository, "rev-parse", "--verify", "--quiet", "HEAD")
    fork = _git(repository, "merge-base", "HEAD", "origin/main")
    if fork and fork != head:
        return fork
    if _git(repository, "status", "--porcelain", "--", *_CONTRACTS):
        return head or None
    last = _git(repository, "log", "-1", "--format=%H", "--", *_CONTRACTS)
    return (_git(repository, "rev-parse", "--verify", "--quiet", f"{last}^") or None) if last else None


def export(revision: str, folder: Path, repository: Path = ROOT) -> bool:
    """Lay a revision's contracts into a folder; False when the revision has none."""
    if not _git(repository, "ls-tree", "--name-only", revision, "--", "buf.yaml"):
        return False
    archive = subprocess.run(
        ["git", "archive", revision, *_CONTRACTS], cwd=repository, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return True


def _differences(left: Path, right: Path) -> list[str]:
    files = [file.relative_to(left) for file in left.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    _, mismatch, errors = filecmp.cmpfiles(left, right, [str(file) for file in files], shallow=False)
    return [*mismatch, *errors]


def _git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def main() -> int:
    """Run every check; 0 when all pass."""
    try:
        check_style(ROOT)
        published.check_unbroken()
        check_drift()
        revision = base_revision()
        with tempfile.TemporaryDirectory() as scratch:
            base = Path(scratch)
            if revision is not None and export(revision, base):
                check_breaking(ROOT, base)
    except GenerationError as error:
        print(error, file=sys.stderr)
        return 1
    earlier = f" and commit {revision[:12]}" if revision else "; there is no earlier commit"
    print(f"contracts: lint, format and drift pass; no breaking change against {published.PUBLISHED.name}{earlier}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
