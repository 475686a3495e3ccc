"""The contracts as last generated, gen/contracts.binpb: what a new generation may add to and must not break.

The file is a descriptor set, so that callers can use it too: `grpcurl -protoset gen/contracts.binpb …`.
"""

import tempfile
from pathlib import Path

from codegen.image import ROOT, GenerationError, build_image, place_validate_proto, run, tool

PUBLISHED = ROOT / "gen" / "contracts.binpb"
_RULES = '{"version": "v2", "breaking": {"use": ["FILE"]}}'  # an image is judged without buf.yaml


def write(out: Path, workspace: Path = ROOT) -> None:
    """Compile the workspace's contracts, without comments, into `out`."""
    place_validate_proto(workspace)
    run(tool("buf"), "build", "--exclude-source-info", "-o", str(out), cwd=workspace)


def check_unbroken(workspace: Path = ROOT, published: Path = PUBLISHED) -> None:
    """Refuse a workspace that breaks readers of the published contracts (rule set FILE)."""
    if not published.exists():
        raise GenerationError(f"{published.name} is missing; `git restore gen` brings the published contracts back")
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "image.binpb"
        build_image(image, workspace)
        try:
            run(tool("buf"), "breaking", str(image), "--against", str(published), "--config", _RULES)
        except GenerationError as error:
            raise GenerationError(
                f"{error}\nKeep old field numbers, names and types and add new ones instead. Before a first release a "
                "break that is meant is accepted by: python -m codegen.python --accept-breaking"
            ) from error
