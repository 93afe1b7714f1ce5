"""Holds charts/longshore to what it promises: over every value set of values/, the rendered objects are as in golden/, valid for
Kubernetes, KEDA and the Prometheus Operator, restricted, and fit together; the configuration in them is one that the worker takes;
nonsense is refused in words; an upgrade changes what it should and nothing else.

Arguments: the program `longshore`, and helm. UPDATE=1 writes golden/ and the chart's README anew, to be read before they are committed."""

import copy
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import kubernetes_validate
import yaml

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent))

import readme
from refusals import REFUSALS, TAKEN
from verdict import end, expect, run

ROOT = HERE.parent.parent
CHART = ROOT / "charts" / "longshore"
KUBERNETES = "1.34"
# Held against types of their own, by tests/chart/types.mjs. There are none of the External Secrets Operator to be had.
# What node-modules.sh ends with where there is no Node, or an old one.
NO_NODE = 3
NOT_CORE = {"ScaledObject", "TriggerAuthentication", "ServiceMonitor", "PrometheusRule", "ExternalSecret"}
UPDATE = os.environ.get("UPDATE") == "1"
LONGSHORE, HELM = sys.argv[1:3]

def helm_template(values, *flags, chart=CHART):
    return run(HELM, "template", "portal", str(chart), "--namespace", "events", "--kube-version", KUBERNETES, "--values", str(values), *flags)


def render(values, *flags, chart=CHART):
    """The objects of a value set, by kind and name, and the text of them all."""
    ran = helm_template(values, *flags, chart=chart)
    if ran.returncode:
        sys.exit(f"{values.name}: {ran.stderr}")
    objects = {}
    for item in yaml.safe_load_all(ran.stdout):
        if item:
            key = (item["kind"], item["metadata"]["name"])
            expect(key not in objects, f"{values.name}: {key} is there twice")
            objects[key] = item
    return objects, ran.stdout


def kind(objects, name):
    return [item for (found, _), item in objects.items() if found == name]


def golden(name, text):
    path = HERE / "golden" / f"{name}.yaml"
    # The alerts and the dashboard have tests of their own, and would bury what is looked at here.
    text = re.sub(r"(?ms)^(  groups:\n).*?(?=^---|\Z)", r"\1    # as in deploy/prometheus/alerts.yaml\n", text)
    text = re.sub(r"(?ms)^(  longshore\.json: \|-\n).*?(?=^---|\Z)", r"\1    # as deploy/grafana/longshore.json\n", text)
    if UPDATE:
        path.write_text(text)
    expect(path.is_file() and path.read_text() == text, f"{name}: differs from {path.relative_to(ROOT)}; UPDATE=1 make chart-test writes it")


def valid(name, objects):
    for (kind_of, object_name), item in objects.items():
        if kind_of in NOT_CORE:
            continue
        try:
            kubernetes_validate.validate(item, KUBERNETES, strict=True)
            error = None
        except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as problem:
            error = problem
        expect(error is None, f"{name}: {kind_of} {object_name}: {error}")
        expect(len(object_name) <= 63, f"{name}: {object_name} is too long a name")


def pods(objects):
    templates = [item["spec"]["template"] for item in kind(objects, "Deployment")]
    return templates + kind(objects, "Pod")


def restricted(name, objects):
    """The restricted Pod Security Standard, and what it does not ask for but this chart promises."""
    for pod in pods(objects):
        spec = pod["spec"]
        context = spec["securityContext"]
        expect(context["runAsNonRoot"] and context["runAsUser"] > 0, f"{name}: runs as root")
        expect(context["seccompProfile"]["type"] == "RuntimeDefault", f"{name}: no seccomp profile")
        expect(spec["automountServiceAccountToken"] is False, f"{name}: has a token for Kubernetes")
        expect(not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")), f"{name}: is on the host")
        expect(all(set(volume) & {"configMap", "secret"} for volume in spec["volumes"]), f"{name}: other volumes than it reads from")
        for container in spec["containers"]:
            own = container["securityContext"]
            expect(own["capabilities"] == {"drop": ["ALL"]}, f"{name}: has capabilities")
            expect(own["allowPrivilegeEscalation"] is False and own["readOnlyRootFilesystem"] is True, f"{name}: may write or escalate")
            expect("memory" in container["resources"]["limits"], f"{name}: no memory limit")


def is_below(labels, selector):
    return selector.items() <= labels.items()


def fits_together(name, objects):
    deployment = kind(objects, "Deployment")[0]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    check = kind(objects, "Pod")[0]["metadata"]["labels"]
    selector = deployment["spec"]["selector"]["matchLabels"]
    expect(is_below(labels, selector), f"{name}: the Deployment does not select its pods")
    for service in kind(objects, "Service"):
        expect(is_below(labels, service["spec"]["selector"]), f"{name}: the Service does not find the workers")
        expect(not is_below(check, service["spec"]["selector"]), f"{name}: the Service finds the pod of `helm test`")
        for monitor in kind(objects, "ServiceMonitor"):
            expect(is_below(service["metadata"]["labels"], monitor["spec"]["selector"]["matchLabels"]), f"{name}: no Service is monitored")
    for budget in kind(objects, "PodDisruptionBudget"):
        expect(is_below(labels, budget["spec"]["selector"]["matchLabels"]), f"{name}: the budget is for other pods")
    for policy in kind(objects, "NetworkPolicy"):
        chosen = policy["spec"]["podSelector"]["matchLabels"]
        expect(is_below(labels, chosen) and is_below(check, chosen), f"{name}: a pod is outside of the NetworkPolicy")
    scalers = kind(objects, "ScaledObject") + kind(objects, "HorizontalPodAutoscaler")
    expect(("replicas" in deployment["spec"]) == (not scalers), f"{name}: the number of workers has two owners, or none")
    for scaler in scalers:
        expect(scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"], f"{name}: scales something else")
    for scaler in kind(objects, "ScaledObject"):
        queue = scaler["spec"]["triggers"][0]["metadata"]
        expect(queue["scaleOnInFlight"] == "true", f"{name}: what is in flight does not count, so scale-in would oscillate")


def network(name, objects, values):
    """In comes who is named, to the admin port; out goes what the worker's own settings need, by port, and names to the cluster's own servers."""
    policies = kind(objects, "NetworkPolicy")
    expect(len(policies) == int(values.get("networkPolicy", {}).get("enabled", True)), f"{name}: {len(policies)} NetworkPolicies")
    for policy in (policy["spec"] for policy in policies):
        expect(policy["policyTypes"] == ["Ingress", "Egress"], f"{name}: a direction is left open")
        wanted = values.get("networkPolicy", {}).get("ingressFrom", [])
        ingress = [{"ports": [{"port": "admin"}], "from": wanted}] if wanted else []
        expect(policy["ingress"] == ingress, f"{name}: others come in than those of ingressFrom: {policy['ingress']}")
        expect(all(rule.get("ports") for rule in policy["egress"]), f"{name}: a rule lets out to any port")
        names, mongo, aws = policy["egress"][:3]
        expect(names.get("to") and {port["protocol"] for port in names["ports"]} == {"UDP", "TCP"}, f"{name}: names are asked for anywhere: {names}")
        open_ports = {port["port"] for port in aws["ports"]}
        queues = [values["config"]["queue"]["url"], values["config"].get("dead_letters", {}).get("queue")]
        needed = {urlsplit(url).port or {"https": 443, "http": 80}[urlsplit(url).scheme] for url in queues if url}
        keys = values.get("aws", {}).get("credentialsSecret")
        expect(open_ports == needed | (set() if keys else {443}), f"{name}: the queues are at {needed}, and open are {open_ports}")
        agent = [rule for rule in policy["egress"] if "169.254.170.23/32" in json.dumps(rule)]
        expect(bool(agent) == (not keys and "roleArn" not in values.get("aws", {})), f"{name}: the agent of Pod Identity is asked without need, or not let out to")


def notes(values, *flags):
    """What helm says after an installation; the cluster is not asked."""
    ran = run(HELM, "install", "portal", str(CHART), "--namespace", "events", "--dry-run=client", "--values", str(values), *flags)
    expect(ran.returncode == 0 and "NOTES:" in ran.stdout, f"{values.name}: no notes: {ran.stderr}")
    return ran.stdout.partition("NOTES:")[2]


def says_what_to_do_next():
    minimal, keda = HERE / "values" / "minimal.yaml", HERE / "values" / "keda.yaml"
    words = notes(minimal)
    # `exec` takes the first container unless it is told, and there is no shell: the program is named.
    expect("kubectl -n events exec -it deploy/portal-longshore -- longshore check" in words, f"the notes do not say how to check: {words}")
    closed = "lets nobody reach"
    expect(closed in words and closed not in notes(keda), "the notes are wrong of who comes in")
    expect(closed not in notes(minimal, "--set", "networkPolicy.enabled=false"), "the notes tell of a policy that is not there")
    deployment = kind(render(minimal)[0], "Deployment")[0]["spec"]["template"]
    container = deployment["spec"]["containers"][0]
    check = kind(render(minimal)[0], "Pod")[0]["spec"]["containers"][0]
    for key in ("image", "env", "volumeMounts", "securityContext"):
        expect(container[key] == check[key], f"`helm test` and `kubectl exec` differ in {key}")


def settings(name, objects):
    """The configuration that the worker makes of the ConfigMap and the container's variables, by its own account."""
    text = next(item for item in kind(objects, "ConfigMap") if "longshore.toml" in item["data"])["data"]["longshore.toml"]
    container = kind(objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "longshore.toml")
        path.write_text(text)
        uri = Path(folder, "uri")
        uri.write_text("mongodb://portal:planted@db.example/portal")
        environment = {item["name"]: item["value"] for item in container["env"]}
        environment |= {"LONGSHORE_CONFIG": str(path), "LONGSHORE__DB__MONGO_URI_FILE": str(uri), "PATH": os.environ["PATH"]}
        ran = run(LONGSHORE, "check", "--print", "--json", env=environment)
    expect(ran.returncode == 0, f"{name}: the worker refuses its configuration: {ran.stderr}")
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    return {line["key"]: line.get("value") for line in lines}


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", text).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]


def mebibytes(text):
    number, unit = re.fullmatch(r"(\d+)(KiB|MiB|GiB|Mi|Gi)", text).groups()
    return int(number) * {"K": 1 / 1024, "M": 1, "G": 1024}[unit[0]]


def agrees(name, objects, values):
    """What the worker says and what Kubernetes is told of it."""
    own = settings(name, objects)
    pod = kind(objects, "Deployment")[0]["spec"]["template"]["spec"]
    expect(pod["terminationGracePeriodSeconds"] >= seconds(own["worker.drain_timeout"]) + 5, f"{name}: killed before it has drained")
    limit = mebibytes(pod["containers"][0]["resources"]["limits"]["memory"])
    # 31 of it are for a `longshore check` beside it.
    expect(limit >= 141 + 2 * mebibytes(own["in_flight.bytes_max"]), f"{name}: a memory limit of {limit} MiB is below what it may take")
    ports = {port["name"]: port["containerPort"] for port in pod["containers"][0]["ports"]}
    for key, port in (("admin.listen", "admin"), ("admin.probes", "probes")):
        expect(own[key].endswith(f":{ports[port]}"), f"{name}: {key} is on another port than {port}")
    probes = [probe["httpGet"]["port"] for key, probe in pod["containers"][0].items() if key.endswith("Probe")]
    expect(probes == ["probes"] * 3, f"{name}: a probe asks where the page can be in its way: {probes}")
    for service in kind(objects, "Service"):
        service = service["metadata"]
        expect(f"{service['name']}.{service['namespace']}.svc" in own["admin.hosts"], f"{name}: the Service's name is refused")
    expect(own["db.mongo_uri"] == "mongodb://***@db.example/portal", f"{name}: the connection string does not reach it")
    for section, keys in values["config"].items():
        for key, value in keys.items():
            if isinstance(value, (str, bool, int, float)):
                found = own.get(f"{section}.{key}")
                same = found == value or str(found).lower() == str(value).lower() or (isinstance(value, int) and isinstance(found, str))
                expect(same, f"{name}: config.{section}.{key} is {value!r}, and the worker has {found!r}")


def no_secrets(name, objects, text):
    expect(not kind(objects, "Secret"), f"{name}: makes a Secret of a value")
    expect("mongodb://" not in text and "mongodb+srv://" not in text, f"{name}: a connection string is rendered")


def refusals():
    minimal = HERE / "values" / "minimal.yaml"
    for values, words in REFUSALS:
        ran = helm_template(minimal, "--set", values)
        expect(ran.returncode != 0 and words in ran.stderr, f"{values}: not refused with {words!r}: {ran.stderr.strip()}")
    for values in TAKEN:
        ran = helm_template(minimal, "--set-string", values)
        expect(ran.returncode == 0, f"{values}: refused: {ran.stderr.strip()}")
    nothing = run(HELM, "template", "portal", str(CHART))
    expect(nothing.returncode != 0 and "mongo.existingSecret: name the Secret" in nothing.stderr, "no values at all: no word of what to give")


def keys_of_the_configuration():
    """The keys of each section of config/longshore.toml but the routes, of which there may be any."""
    keys, section = {}, None
    for line in (ROOT / "config" / "longshore.toml").read_text().splitlines():
        if found := re.fullmatch(r"\[([a-z_.]+)\]", line):
            section = found[1]
            keys[section] = set()
            above, _, below = section.rpartition(".")
            keys.get(above, set()).add(below)
        elif section and (found := re.match(r"(?:#|# Example: |# Instead: )([a-z_]+) = ", line)):
            keys[section].add(found[1])
    return {section: names for section, names in keys.items() if not section.startswith("routes")}


def schema_has_the_keys_of_the_configuration():
    config = json.loads((CHART / "values.schema.json").read_text())["properties"]["config"]
    for section, names in keys_of_the_configuration().items():
        found = config
        for name in section.split("."):
            found = found.get("properties", {}).get(name, {})
        # Names of types and of the driver's options are anybody's.
        if section in ("message.types", "db.connection_options"):
            continue
        expect(found.get("additionalProperties") is False, f"values.schema.json: config.{section} takes unknown keys")
        listed = set(found.get("properties", {}))
        expect(listed == names, f"values.schema.json: config.{section} has the keys {sorted(listed)}, the configuration {sorted(names)}")


def without_versions(item):
    """An object without the labels and the image that a release changes."""
    item = copy.deepcopy(item)
    places = [item["metadata"]] + ([item["spec"]["template"]["metadata"]] if item["kind"] == "Deployment" else [])
    for metadata in places:
        for label in ("helm.sh/chart", "app.kubernetes.io/version"):
            metadata.get("labels", {}).pop(label, None)
    for pod in [item["spec"]["template"]["spec"]] if item["kind"] == "Deployment" else [item["spec"]] if item["kind"] == "Pod" else []:
        for container in pod["containers"]:
            del container["image"]
    return item


def upgrade(values):
    """The next version of the chart, and a changed setting, on a running release."""
    before, _ = render(values)
    with tempfile.TemporaryDirectory() as folder:
        following = Path(folder, "longshore")
        shutil.copytree(CHART, following)
        chart = following / "Chart.yaml"
        chart.write_text(chart.read_text().replace("ersion: 0.1.0", "ersion: 0.2.0"))
        after, text = render(values, chart=following)
    name = f"upgrade of {values.name}"
    expect(before.keys() == after.keys(), f"{name}: objects come or go: {before.keys() ^ after.keys()}")
    for key in before:
        expect(without_versions(before[key]) == without_versions(after[key]), f"{name}: {key} changes by more than the version")
    pinned = yaml.safe_load(values.read_text())["image"]
    expect(("0.2.0" in text) and (("longshore:0.2.0" in text) == (not pinned.keys() & {"tag", "digest"})), f"{name}: the image does not follow")
    changed, _ = render(values, "--set", "config.queue.pollers_max=3")
    different = [key[0] for key in before if before[key] != changed[key]]
    expect(different == ["ConfigMap", "Deployment"], f"{name}: a changed setting changes {different}")
    checksum = lambda objects: kind(objects, "Deployment")[0]["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
    expect(checksum(before) != checksum(changed), f"{name}: a changed setting does not roll the pods")


def selector_is_kept():
    """What a release was installed with cannot be changed later: the selector as it was in 0.1.0."""
    deployment = kind(render(HERE / "values" / "minimal.yaml")[0], "Deployment")[0]
    was = {"app.kubernetes.io/name": "longshore", "app.kubernetes.io/instance": "portal", "app.kubernetes.io/component": "worker"}
    expect(deployment["spec"]["selector"]["matchLabels"] == was, "the Deployment's selector has changed: no release could be upgraded")


def types(objects_by_set):
    """KEDA's and the Prometheus Operator's objects, against their types, where there is a Node."""
    models = run(str(ROOT / "scripts" / "node-modules.sh"), str(HERE))
    if models.returncode == NO_NODE:
        print(f"NOT RUN: types of KEDA and the Prometheus Operator: {models.stderr.strip()}")
        return
    # Also where a package is not the one that its lock pins.
    expect(models.returncode == 0, f"types: {models.stderr.strip()}")
    if models.returncode:
        return
    found = [item for objects in objects_by_set.values() for item in objects.values() if item["kind"] in NOT_CORE - {"ExternalSecret"}]
    broken = copy.deepcopy(next(item for item in found if item["kind"] == "ScaledObject"))
    broken["spec"]["minReplicas"] = 1
    for items, is_valid in ((found, True), ([broken], False)):
        ran = run("node", str(HERE / "types.mjs"), models.stdout.strip(), input=json.dumps(items))
        expect((ran.returncode == 0) == is_valid, f"types: {'valid' if is_valid else 'an unknown key is not seen'}: {ran.stdout}{ran.stderr}")
    print(f"types: {len(found)} objects of KEDA and the Prometheus Operator")


def main():
    sets = sorted((HERE / "values").glob("*.yaml"))
    objects_by_set = {}
    for values in sets:
        name = values.stem
        linted = run(HELM, "lint", "--strict", "--quiet", "--values", str(values), str(CHART))
        expect(linted.returncode == 0, f"{name}: helm lint --strict: {linted.stdout}{linted.stderr}")
        objects, text = render(values)
        objects_by_set[name] = objects
        golden(name, text)
        valid(name, objects)
        restricted(name, objects)
        fits_together(name, objects)
        network(name, objects, yaml.safe_load(values.read_text()))
        agrees(name, objects, yaml.safe_load(values.read_text()))
        no_secrets(name, objects, text)
    types(objects_by_set)
    schema_has_the_keys_of_the_configuration()
    refusals()
    for values in sets:
        upgrade(values)
    selector_is_kept()
    says_what_to_do_next()
    page, expected = CHART / "README.md", readme.page(CHART / "values.yaml", CHART / "README.md")
    if UPDATE:
        page.write_text(expected)
    expect(page.read_text() == expected, "charts/longshore/README.md: its table is not that of values.yaml; UPDATE=1 make chart-test writes it")
    rendered = sum(len(objects) for objects in objects_by_set.values())
    end(f"{len(sets)} value sets, {rendered} objects, {len(REFUSALS)} refusals: ")


main()
