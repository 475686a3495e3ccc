"""The Helm chart tells the same processes the same as compose.yaml, and Kubernetes takes what it makes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops.pipelines.settings import CatalogAuth, LakeSettings
from services.features.settings import FeaturesSettings
from services.gateway.settings import GatewaySettings
from services.inference.settings import InferenceSettings
from services.normalizer.settings import NormalizerSettings
from services.orchestrator import settings as orchestrator
from services.runtime.settings import KafkaSettings, ProcessSettings, RegistrySettings, TidegateSettings, read_settings
from stack import tuning
from stack.engines import dagster
from stack.lake import LAKE
from stack.services import services as stack_services
from tests.helm import CHART, EXAMPLE, Manifest, RefusedError, faults, render

COMPOSE: dict[str, Any] = yaml.safe_load(Path("compose.yaml").read_text())["services"]
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
# For engines that ask for more than those of compose.yaml do, and a name that every process has.
OF_CLUSTERS = {
    "TIDEGATE_INSTANCE",
    "TIDEGATE_SCHEMA_REGISTRY_AUTH",
    "TIDEGATE_MLFLOW_AUTH",
    "TIDEGATE_TEMPORAL_API_KEY",
}
OF_CLUSTERS |= {"TIDEGATE_TRINO_PASSWORD", "TIDEGATE_SUPERSET_BEHIND_TLS"}
PROCESSES: dict[str, tuple[type[TidegateSettings], ...]] = {
    "gateway": (GatewaySettings, KafkaSettings, RegistrySettings),
    "normalizer": (ProcessSettings, NormalizerSettings, KafkaSettings, RegistrySettings),
    "features": (ProcessSettings, FeaturesSettings, KafkaSettings, RegistrySettings),
    "orchestrator": (
        *(ProcessSettings, KafkaSettings, RegistrySettings, orchestrator.DatabaseSettings),
        *(orchestrator.TemporalSettings, orchestrator.InferenceSettings, orchestrator.OrchestratorSettings),
    ),
    "inference": (ProcessSettings, InferenceSettings, KafkaSettings, RegistrySettings),
}


@pytest.fixture(scope="module")
def chart() -> list[Manifest]:
    """All that the chart can make, with the example filled in."""
    on = ("monitoring.enabled", "serviceMonitor.enabled")
    return render("--values", str(EXAMPLE), *(f"--set={name}=true" for name in on), "--set=kafkaProperties=kafka")


def of_kind(chart: list[Manifest], *kinds: str) -> dict[str, Manifest]:
    return {made["metadata"]["name"].removeprefix("tidegate-"): made for made in chart if made["kind"] in kinds}


def workloads(chart: list[Manifest]) -> dict[str, Manifest]:
    return of_kind(chart, "Deployment", "StatefulSet")


def pods(chart: list[Manifest]) -> dict[str, Manifest]:
    """The specification of each pod."""
    jobs = {name: job["spec"]["template"]["spec"] for name, job in of_kind(chart, "Job").items()}
    nightly = of_kind(chart, "CronJob").items()
    jobs |= {name: job["spec"]["jobTemplate"]["spec"]["template"]["spec"] for name, job in nightly}
    return {name: made["spec"]["template"]["spec"] for name, made in workloads(chart).items()} | jobs


def containers(chart: list[Manifest]) -> dict[str, Manifest]:
    """By compose.yaml's names: a sidecar `code` of the pod `dagster` is `dagster-code`."""
    return {
        name if container["name"] == name else f"{name}-{container['name']}": container
        for name, pod in pods(chart).items()
        for container in pod["containers"]
    }


def told(container: Manifest) -> dict[str, str | None]:
    """Its environment; None where a secret or the pod has the value."""
    return {one["name"]: one.get("value") for one in container["env"]}


def test_it_has_the_same_services_and_none_of_the_engines(chart: list[Manifest]) -> None:
    ours = {re.sub(r"-\d+$", "", program.name) for program in stack_services(1)}
    lake = {program.name for program in LAKE} - {"trino"}
    assert set(containers(chart)) == ours | lake | {"deploy", "monitoring"}


def test_they_are_started_by_the_same_commands(chart: list[Manifest]) -> None:
    made = containers(chart)
    for name in ("gateway", "normalizer", "features", "orchestrator", "inference", "dagster-code", "dagster"):
        assert made[name]["command"] == COMPOSE[name]["command"], name
    assert made["deploy"]["command"] == COMPOSE["deploy"]["command"]
    for name, pod in (("dagster-daemon", "dagster"), ("superset", "superset")):
        (prepare,) = pods(chart)[pod]["initContainers"]
        lines = COMPOSE[name]["command"][2].replace("exec ", "").replace("'", "").splitlines()
        assert [" ".join(prepare["command"]), " ".join(made[name]["command"])] == lines
    assert made["monitoring"]["command"] == ["python", "-m", "mlops.monitoring"]


def test_they_have_the_same_images(chart: list[Manifest]) -> None:
    for name, container in containers(chart).items():
        if name in COMPOSE:
            assert container["image"] == f"registry.example.com/payments/{COMPOSE[name]['image']}", name


def test_they_are_told_the_same_settings(chart: list[Manifest]) -> None:
    """What compose.yaml sets and the chart does not, a service has no use for, as test_settings_suffice shows."""
    for name, container in containers(chart).items():
        given = told(container)
        compose = COMPOSE["dagster" if name == "monitoring" else name]["environment"]
        assert set(given) <= {*compose, *OF_CLUSTERS, "TIDEGATE_KAFKA_PROPERTIES_FILE"}, name
        own = VALUES["services"].get(name.partition("-")[0], {}).get("settings", {})
        shared = set(own) & set(compose)
        assert {key: given[key] for key in shared} == {key: compose[key] for key in shared}, name


@pytest.mark.parametrize("name", PROCESSES)
def test_settings_suffice(name: str, chart: list[Manifest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "kafka.properties").write_text(
        "security.protocol=SASL_SSL\nsasl.mechanisms=PLAIN\nsasl.username=x\nsasl.password=x\n"
    )
    for key, value in told(containers(chart)[name]).items():
        monkeypatch.setenv(key, value or "secret:value")
    monkeypatch.setenv("TIDEGATE_KAFKA_PROPERTIES_FILE", str(tmp_path / "kafka.properties"))
    for settings in PROCESSES[name]:
        read_settings(settings)


def test_pipelines_are_told_of_polaris_and_s3(chart: list[Manifest], monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in told(containers(chart)["dagster-daemon"]).items():
        monkeypatch.setenv(key, value or "secret:value")
    lake = LakeSettings()  # type: ignore[call-arg]
    assert (lake.catalog_auth, lake.catalog_url) == (CatalogAuth.OAUTH2, "https://polaris.example.com/api/catalog")
    assert (lake.catalog_warehouse, lake.catalog_scope) == ("tidegate", "PRINCIPAL_ROLE:ALL")
    assert lake.catalog_credential is not None
    assert lake.s3_url is None


def test_settings_alone_lead_to_signed_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    s3_tables = {"AUTH": "sigv4", "URL": "https://s3tables.example.com/iceberg", "SCOPE": "", "WAREHOUSE": "s3://lake"}
    sets = [f"--set=settings.catalog.TIDEGATE_CATALOG_{name}={value}" for name, value in s3_tables.items()]
    made = render("--values", str(EXAMPLE), *sets, "--set=settings.s3.TIDEGATE_S3_URL=http://weed:8333")
    for key, value in told(containers(made)["dagster-daemon"]).items():
        monkeypatch.setenv(key, value or "secret:value")
    lake = LakeSettings()  # type: ignore[call-arg]
    assert (lake.catalog_auth, lake.catalog_warehouse, lake.catalog_scope) == (CatalogAuth.SIGV4, "s3://lake", None)
    assert lake.s3_url == "http://weed:8333"


def test_no_secret_is_a_value(chart: list[Manifest]) -> None:
    secret = re.compile("PASSWORD|CREDENTIAL|SECRET|API_KEY|ACCESS_KEY|DATABASE_URL|REDIS_URL|(REGISTRY|MLFLOW)_AUTH")
    for name, container in containers(chart).items():
        assert {key for key, value in told(container).items() if secret.search(key) and value is not None} == set(), (
            name
        )
    with pytest.raises(RefusedError, match="TIDEGATE_DATABASE_URL"):
        render("--values", str(EXAMPLE), "--set=services.orchestrator.settings.TIDEGATE_DATABASE_URL=postgresql://x")


def test_every_process_enters_postgresql_as_its_own_role(chart: list[Manifest]) -> None:
    roles = {}
    for name, container in containers(chart).items():
        for one in container["env"]:
            if one["name"] == "TIDEGATE_DATABASE_URL":
                roles[name] = one["valueFrom"]["secretKeyRef"]["key"].removesuffix("-database-url")
    assert roles.items() >= {"deploy": "owner", "orchestrator": "writer", "monitoring": "monitor"}.items()
    assert {role for name, role in roles.items() if name.startswith("dagster")} == {"lake"}
    for name, role in roles.items():
        if name in COMPOSE:
            assert f"tidegate_{role}:" in COMPOSE[name]["environment"]["TIDEGATE_DATABASE_URL"]


@pytest.mark.parametrize("version", ["1.27.0", "1.32.0", "1.37.0"])
def test_kubernetes_takes_every_manifest(chart: list[Manifest], version: str) -> None:
    known = [made for made in chart if made["kind"] != "ServiceMonitor"]  # which is the Prometheus operator's
    assert {made["kind"] for made in known} >= {
        "Deployment",
        "StatefulSet",
        "Job",
        "CronJob",
        "Service",
        "Ingress",
        "NetworkPolicy",
    }
    assert {made["metadata"]["name"]: faults(made, version) for made in known if faults(made, version)} == {}


def test_what_kubernetes_would_refuse_is_found() -> None:
    (job,) = of_kind(render("--values", str(EXAMPLE), "--set=deploy.resources.memory=lots"), "Job").values()
    assert "'memory' was unexpected" in " ".join(faults(job, "1.37.0"))


def test_nothing_runs_as_root_or_writes_where_it_was_not_given_room(chart: list[Manifest]) -> None:
    for name, pod in pods(chart).items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["automountServiceAccountToken"] is False, name
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            own = container["securityContext"]
            assert (own["readOnlyRootFilesystem"], own["allowPrivilegeEscalation"]) == (True, False), name
            assert own["capabilities"] == {"drop": ["ALL"]}, name
    user = re.search(r"useradd .*--uid (\d+)", Path("deploy/Dockerfile").read_text())
    assert user
    assert {pod["securityContext"]["runAsUser"] for pod in pods(chart).values()} == {int(user[1])}


def test_a_release_named_tidegate_overwrites_no_setting(chart: list[Manifest]) -> None:
    """Kubernetes would set TIDEGATE_GATEWAY_PORT=tcp://… for a Service tidegate-gateway."""
    assert "gateway" in of_kind(chart, "Service")
    assert {pod["enableServiceLinks"] for pod in pods(chart).values()} == {False}


def test_probes_and_services_ask_ports_that_are_listened_on(chart: list[Manifest]) -> None:
    listened = {"TIDEGATE_GATEWAY_PORT": "http", "TIDEGATE_METRICS_PORT": "metrics"}
    listened |= {"TIDEGATE_INFERENCE_HTTP_BIND": "http", "TIDEGATE_INFERENCE_BIND": "grpc"}
    for name, container in containers(chart).items():
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        for setting, port in listened.items():
            if value := told(container).get(setting):
                assert int(value.rpartition(":")[2]) == ports[port], name
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = container.get(probe, {}).get("httpGet")
            assert asked is None or asked["port"] in ports, name
        if name in PROCESSES:
            paths = [container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("liveness", "readiness")]
            assert paths == ["/healthz", "/readyz"], name
    for name, service in of_kind(chart, "Service").items():
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= {
            port["name"] for port in containers(chart)[name]["ports"]
        }


def test_a_pod_is_given_longer_to_stop_than_its_process_takes(chart: list[Manifest]) -> None:
    gateway = GatewaySettings()
    drain = gateway.gateway_drain_seconds + gateway.gateway_shutdown_seconds
    for name in PROCESSES:
        pod = pods(chart)[name]
        pause = VALUES["services"][name].get("pauseSeconds", 0)
        assert pod["terminationGracePeriodSeconds"] > pause + drain, name
        compose = int(COMPOSE[name]["stop_grace_period"].removesuffix("s"))
        assert pod["terminationGracePeriodSeconds"] >= compose, name


def test_names_that_must_outlive_a_restart_do(chart: list[Manifest]) -> None:
    assert {"normalizer", "orchestrator", "dagster"} <= set(of_kind(chart, "StatefulSet"))


def test_every_service_may_be_disrupted_one_pod_at_a_time(chart: list[Manifest]) -> None:
    budgets = of_kind(chart, "PodDisruptionBudget")
    assert set(budgets) == set(workloads(chart))
    for name, workload in workloads(chart).items():
        assert budgets[name]["spec"]["selector"] == workload["spec"]["selector"], name


def test_dagster_and_superset_are_set_as_on_one_machine(chart: list[Manifest]) -> None:
    files = of_kind(chart, "ConfigMap")["dagster"]["data"]
    assert yaml.safe_load(files["dagster.yaml"]) == yaml.safe_load(dagster.instance_file())
    (asked,) = yaml.safe_load(files["workspace.yaml"])["load_from"]
    code = containers(chart)["dagster-code"]
    assert str(asked["grpc_server"]["port"]) == code["command"][code["command"].index("--port") + 1]
    assert pods(chart)["dagster"]["shareProcessNamespace"] is True
    assert tuning.SUPERSET.items() <= told(containers(chart)["superset"]).items()


def test_the_gateway_alone_is_reached_from_outside(chart: list[Manifest]) -> None:
    (ingress,) = [made for made in chart if made["kind"] == "Ingress"]
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert (path["path"], path["backend"]["service"]["name"]) == ("/webhooks", "tidegate-gateway")
    assert {service["spec"].get("type", "ClusterIP") for service in of_kind(chart, "Service").values()} == {"ClusterIP"}


def test_who_is_no_pod_of_the_release_reaches_the_gateway_alone(chart: list[Manifest]) -> None:
    """Dagster asks nobody for a password."""
    policies = {name: made["spec"] for name, made in of_kind(chart, "NetworkPolicy").items()}
    assert {tuple(policy["policyTypes"]) for policy in policies.values()} == {("Ingress",)}
    everything = {"matchLabels": {"app.kubernetes.io/name": "tidegate", "app.kubernetes.io/instance": "tidegate"}}
    assert policies["release"]["podSelector"] == everything
    assert policies["release"]["ingress"] == [{"from": [{"podSelector": everything}]}]
    for name, made in workloads(chart).items():
        assert everything["matchLabels"].items() <= made["spec"]["template"]["metadata"]["labels"].items(), name
    gateway = workloads(chart)["gateway"]["spec"]["selector"]
    assert (policies["gateway"]["podSelector"], policies["gateway"]["ingress"]) == (
        gateway,
        [{"ports": [{"port": "http"}]}],
    )
    prometheus = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    more = render("--values", str(EXAMPLE), "--set-json", f"networkPolicy.from={json.dumps([prometheus])}")
    assert of_kind(more, "NetworkPolicy")["release"]["spec"]["ingress"][0]["from"] == [
        {"podSelector": everything},
        prometheus,
    ]
    assert not of_kind(render("--values", str(EXAMPLE), "--set=networkPolicy.enabled=false"), "NetworkPolicy")


def test_authorities_of_ones_own_are_trusted_by_all(chart: list[Manifest]) -> None:
    names = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
    assert not [name for container in containers(chart).values() for name in told(container) if name in names]
    made = render("--values", str(EXAMPLE), "--set=authorities=own,monitoring.enabled=true")
    for name, pod in pods(made).items():
        assert {"name": "authorities", "configMap": {"name": "own"}} in pod["volumes"], name
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            (place,) = [one["mountPath"] for one in container["volumeMounts"] if one["name"] == "authorities"]
            assert {told(container)[one] for one in names} == {f"{place}/ca.pem"}, name
    assert {made["metadata"]["name"]: faults(made, "1.37.0") for made in made if faults(made, "1.37.0")} == {}


def test_what_is_not_filled_in_is_named() -> None:
    with pytest.raises(RefusedError, match="TIDEGATE_KAFKA_BOOTSTRAP_SERVERS"):
        render()
    with pytest.raises(RefusedError, match="TIDEGATE_CATALOG_URL"):
        render("--values", str(EXAMPLE), "--set=settings.catalog.TIDEGATE_CATALOG_URL=")
    assert render(
        "--values", str(EXAMPLE), "--set=settings.catalog.TIDEGATE_CATALOG_URL=,services.dagster.enabled=false"
    )


def test_a_secret_can_have_another_name_and_key() -> None:
    made = render(
        "--values", str(EXAMPLE), "--set=secrets.writer-database-url.name=rds,secrets.writer-database-url.key=uri"
    )
    (asked,) = [one for one in containers(made)["orchestrator"]["env"] if one["name"] == "TIDEGATE_DATABASE_URL"]
    assert asked["valueFrom"]["secretKeyRef"] == {"name": "rds", "key": "uri"}
