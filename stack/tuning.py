"""The engines' settings that matter, in one place: durability, retention, memory; compose.yaml agrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

# One broker is its own controller. A kill -9 of it loses nothing that was acknowledged (the page cache outlives the
# process); after a power cut up to one second may be missing, which is why production runs three brokers and
# acknowledges what two of them have.
KAFKA: Mapping[str, str] = MappingProxyType(
    {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.listener.names": "CONTROLLER",
        "auto.create.topics.enable": "false",  # a topic is data in proto/topics, never an accident
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "offsets.topic.num.partitions": "8",  # 50 each by default: a hundred folders for nothing
        "transaction.state.log.num.partitions": "8",
        "share.coordinator.state.topic.num.partitions": "1",
        "unclean.leader.election.enable": "false",
        "log.flush.interval.ms": "1000",
        "log.flush.scheduler.interval.ms": "1000",
        # A broker that was killed may register again only when its old session has run out: 13 s to ready with the
        # default of 9000, 6 s with 4000. Every step of a start waits for the next heartbeat, 2000 by default.
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "500",
        "log.retention.hours": "168",  # topics state their own; this is for what does not
        "log.segment.bytes": str(64 << 20),
        "log.index.size.max.bytes": str(1 << 20),
        "log.cleaner.dedupe.buffer.size": str(8 << 20),  # 128 MiB of heap by default
        "message.max.bytes": str(4 << 20),  # a body of 1 MiB, kept beside its decoded form
        "replica.fetch.max.bytes": str(4 << 20),
        "group.initial.rebalance.delay.ms": "0",
        # Readers of committed messages wait for the transaction of a killed normalizer: look for such often.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "2000",
        "controlled.shutdown.enable": "true",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "background.threads": "2",
    }
)

POSTGRESQL: Mapping[str, str] = MappingProxyType(
    {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",  # a commit that was answered is on disk
        "password_encryption": "scram-sha-256",
        "shared_buffers": "64MB",
        "max_connections": "100",
        "max_wal_size": "512MB",
        "log_min_messages": "warning",
        "log_timezone": "UTC",
        "timezone": "UTC",
        "jit": "off",  # compiling costs more than it saves on queries of a few rows
    }
)

# WAL with synchronous=FULL: a workflow start that was answered is on disk. One task queue partition halves p99 here.
TEMPORAL_SQLITE: Mapping[str, str] = MappingProxyType({"journal_mode": "WAL", "synchronous": "2"})
TEMPORAL_DYNAMIC: Mapping[str, str] = MappingProxyType(
    {"matching.numTaskqueueReadPartitions": "1", "matching.numTaskqueueWritePartitions": "1"}
)

APICURIO: Mapping[str, str] = MappingProxyType(
    {
        "APICURIO_STORAGE_KIND": "sql",
        "APICURIO_STORAGE_SQL_KIND": "postgresql",
        "APICURIO_DATASOURCE_JDBC_INITIAL_SIZE": "2",
        "APICURIO_DATASOURCE_JDBC_MIN_SIZE": "2",
        "APICURIO_DATASOURCE_JDBC_MAX_SIZE": "10",
        "QUARKUS_HTTP_ACCESS_LOG_ENABLED": "false",
        "QUARKUS_LOG_LEVEL": "INFO",
    }
)

# Every change is appended to a file that is synced each second; written to the system before it is answered, so that a
# kill -9 loses nothing but what a slow disk held back (two seconds at most, then writes wait). Features are never
# evicted: a full store refuses writes, loudly, where a silent gap would be served as "never seen".
VALKEY: Mapping[str, str] = MappingProxyType(
    {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',
        "maxmemory-policy": "noeviction",
    }
)

# One copy of everything, in volumes of 128 MiB, as many as the disk has room for. What was answered has been handed to
# the system: a kill -9 loses nothing, a power cut may lose the last seconds; production keeps artifacts in a
# replicated store. Nothing is reported to anybody.
SEAWEEDFS: Mapping[str, str] = MappingProxyType(
    {
        "-filer": "true",
        "-s3": "true",
        "-s3.port.lance": "0",
        "-s3.iam": "false",
        "-s3.autoCreateBucket": "true",  # MLflow's bucket is made with the first artifact in it
        # There is one master, yet after a restart it waits this long before it leads: 10 s by default.
        "-master.electionTimeout": "300ms",
        "-master.heartbeatInterval": "100ms",
        "-master.telemetry": "false",
        "-master.volumeSizeLimitMB": "128",
        "-volume.max": "0",
        "-volume.preStopSeconds": "0",  # there is no other volume server that could take over meanwhile
    }
)
SEAWEEDFS_ENVIRONMENT: Mapping[str, str] = MappingProxyType({"WEED_MASTER_VOLUME_GROWTH_COPY_1": "2"})  # 7 a bucket

# One process. Clients send artifacts to the server, which keeps them in S3: they need no credentials of S3. Jobs (its
# own evaluation of traces) are off, as is telling its makers about its use.
MLFLOW_COMMAND: Sequence[str] = ("-m", "uvicorn", "mlflow.server.fastapi_app:app", "--log-level", "warning")
MLFLOW: Mapping[str, str] = MappingProxyType(
    {
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": "s3://mlflow",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "5",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
)

# One node, for tables of some million rows on two cores. The heap is small on purpose, since the whole set runs beside
# it, and grows as it is needed: dbt's largest query over 1.2 million events takes 0.7 GiB, a day's run far less.
# What is asked is the platform's own work, so nobody signs in; it listens on loopback.
TRINO: Mapping[str, str] = MappingProxyType(
    {
        "node.environment": "tidegate",
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "query.max-memory-per-node": "896MB",
        "memory.heap-headroom-per-node": "256MB",
        "query.max-history": "50",
        "query.min-expire-age": "5m",
        "query.max-run-time": "30m",
        "task.concurrency": "2",
        "task.max-worker-threads": "4",
        "task.min-drivers": "4",
    }
)
# Trino writes the same tables as PyIceberg: a commit that another one overtook is tried again, and a table that is
# made anew under an old name gets a place of its own.
TRINO_CATALOG: Mapping[str, str] = MappingProxyType(
    {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "rest",
        "iceberg.rest-catalog.sigv4-enabled": "true",
        "iceberg.rest-catalog.signing-name": "s3tables",
        "iceberg.unique-table-location": "true",
        "iceberg.max-commit-retry": "20",
        "fs.native-s3.enabled": "true",
        "s3.path-style-access": "true",
    }
)

# Two runs at a time, and of each kind of work that must not meet itself one: a machine's worth. A run whose process is
# gone is found within ten seconds, one that does not begin after two minutes, one that hangs after six hours: marked as
# failed and taken up from the step it had come to, twice at most.
DAGSTER: Mapping[str, Any] = MappingProxyType(
    {
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
        "run_launcher": {"module": "mlops.pipelines.lib.launcher", "class": "ProcessRunLauncher"},
        "run_monitoring": {
            "enabled": True,
            "start_timeout_seconds": 120,
            "max_runtime_seconds": 6 * 3600,
            "cancel_timeout_seconds": 60,
            "max_resume_run_attempts": 0,
            "poll_interval_seconds": 10,
        },
        "run_retries": {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False},
        "concurrency": {
            "runs": {"max_concurrent_runs": 2},
            "pools": {"default_limit": 1, "granularity": "op"},
        },
        "freshness": {"enabled": True},
        "retention": {
            "schedule": {"purge_after_days": 90},
            "sensor": {"purge_after_days": {"skipped": 7, "failure": 30, "success": 30}},
        },
    }
)
DAGSTER_ENVIRONMENT: Mapping[str, str] = MappingProxyType({"DAGSTER_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"})

# One process with threads: what takes time is for Trino to compute. It is started anew after so many requests: what its
# libraries keep does not add up. Its use is told to nobody.
SUPERSET_COMMAND: Sequence[str] = (
    "-m",
    "gunicorn",
    "--workers=1",
    "--worker-class=gthread",
    "--threads=8",
    "--timeout=120",
    "--max-requests=20000",
    "--max-requests-jitter=1000",
    "--log-level=warning",
)
SUPERSET: Mapping[str, str] = MappingProxyType(
    {"SCARF_ANALYTICS": "false", "DO_NOT_TRACK": "true", "MALLOC_ARENA_MAX": "2"}
)

# Small heaps and the serial collector: the whole set at rest stays below 3 GiB. The registry answers a handful of calls
# after warm-up, so it never pays for the optimising compiler; the broker does.
JAVA_COMMON: Sequence[str] = (
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dfile.encoding=UTF-8",
    "-Djava.awt.headless=true",
)
KAFKA_JAVA: Sequence[str] = (*JAVA_COMMON, "-Xms64M", "-Xmx384M", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
APICURIO_JAVA: Sequence[str] = (*JAVA_COMMON, "-Xms64M", "-Xmx256M", "-XX:TieredStopAtLevel=1")
TRINO_JAVA: Sequence[str] = (
    *JAVA_COMMON,
    "-Xms128M",
    "-Xmx1536M",
    "-XX:TieredStopAtLevel=1",
    "-XX:-OmitStackTraceInFastThrow",
    "-Djdk.attach.allowAttachSelf=true",
    "-Djdk.nio.maxCachedBufferSize=2000000",
    "-XX:+EnableDynamicAgentLoading",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)
