"""Holds what is deployed beside the chart to its word: the Dockerfile, compose.yaml, deploy/aws and deploy/systemd, by linters and
against each other. Each finding of a linter that is left stands here with its reason."""

import json
import re
import shutil
import sys
from pathlib import Path

import yaml

sys.path.append(str(Path(__file__).parent.parent))

from verdict import end, expect, run

ROOT = Path(__file__).parent.parent.parent
AWS = ROOT / "deploy" / "aws"
BIN = Path(sys.executable).parent

# Findings of trivy that are left, and why.
ACCEPTED = {
    "KSV-0011": "no CPU limit: a worker that is throttled writes late; its request is its share",
    "KSV-0125": "a registry that trivy does not know: it is the user's own, image.repository",
    "AWS-0096": "trivy does not look through Fn::If: the queue is encrypted by SQS or by the key that is given",
}

def lint(*command):
    # Scripts of Python are run by name: the first line of those in an environment that was moved names another place.
    ran = run(*command, cwd=ROOT)
    expect(ran.returncode == 0, f"{Path(command[-1]).name}: {ran.stdout}{ran.stderr}")


def scan(*target):
    """trivy, over one target; returns the findings that were accepted."""
    command = (BIN / "trivy", "config", "--quiet", "--skip-check-update", "--skip-version-check", "--format", "json", *target)
    ran = run(*command, cwd=ROOT)
    expect(ran.returncode == 0 and ran.stdout, f"trivy {target}: {ran.stderr}")
    results = json.loads(ran.stdout or "{}").get("Results", [])
    expect(any(result["MisconfSummary"]["Successes"] for result in results), f"trivy {target}: looked at nothing")
    found = [finding for result in results for finding in result.get("Misconfigurations", [])]
    for finding in found:
        expect(finding["ID"] in ACCEPTED, f"trivy {target}: {finding['ID']} {finding['Severity']}: {finding['Message']}")
    return {finding["ID"] for finding in found}


def bases():
    """The base images of the Dockerfile, each by the name of the argument that takes another one, or the same by digest."""
    return dict(re.findall(r"^ARG (\w+)=(\S+[:@]\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))


def image():
    lint(BIN / "hadolint", "Dockerfile")
    for base in re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE):
        expect(base in {f"${{{name}}}" for name in bases()}, f"Dockerfile: {base} cannot be given by digest: it is no argument with a tag")
    programs = re.search(r"for program in (.+?); do", (ROOT / "Dockerfile").read_text())[1].split()
    # Where one is not there, cargo does not read Cargo.toml.
    for bench in re.findall(r'^\[\[bench\]\]\nname = "([\w-]+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE):
        path = next(path for path in (f"benches/{bench}.rs", f"benches/{bench}/main.rs") if (ROOT / path).exists())
        expect(path in programs, f"Dockerfile: the layer of the dependencies has no empty {path}, which Cargo.toml names")
    folders = re.search(r"mkdir -p (.+?) \\\n", (ROOT / "Dockerfile").read_text())[1].split()
    made = {"benches"} | set(folders)
    for path in programs:
        expect(str(Path(path).parent) in made, f"Dockerfile: the layer of the dependencies makes no folder for {path}")
    sources = copied()
    for path in compiled():
        expect(any(path.is_relative_to(source) for source in sources), f"Dockerfile: {path} is compiled in, and not copied to the build")
    return scan("Dockerfile")


def copied():
    """What the Dockerfile copies of this repository, of which .dockerignore leaves nothing out."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    expect(ignored[0] == "*", ".dockerignore: does not begin with all")
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = [source for copy in copies for source in copy.split()]
    for source in sources:
        expect(f"!{source}" in ignored, f".dockerignore: leaves out {source}, which the Dockerfile copies")
    return sources


def compiled():
    """The files that the program is made of, from its root on, as cargo tells."""
    told = Path(f"{sys.argv[1]}.d").read_text().replace("\\ ", "\0").split()[1:]
    files = [Path(path.replace("\0", " ")) for path in told]
    here = [path.relative_to(ROOT) for path in files if path.is_relative_to(ROOT)]
    expect(Path("src/main.rs") in here, f"{sys.argv[1]}.d: tells of another checkout")
    return here


def chart():
    return scan("--helm-values", "tests/chart/values/keda.yaml", "charts/longshore")


class Template(yaml.SafeLoader):
    """CloudFormation, with its functions as strings that tell them apart."""


def function(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        return f"{suffix}:{node.value}"
    return {suffix: loader.construct_sequence(node, deep=True)}


Template.add_multi_constructor("!", function)


def statements(document, conditions):
    """The statements of a policy where these conditions of the template hold."""
    for statement in document["Statement"]:
        if "If" in statement:
            statement = statement["If"][1] if statement["If"][0] in conditions else None
        if statement:
            yield statement["Sid"], sorted(statement["Action"]), bool(statement.get("Condition"))


def rejected_queue(stack):
    """The queue for dead letters: off unless asked for, kept like the others, and with all of it under the one condition."""
    template = stack["Resources"]
    queue, dead = template["Rejected"], template["DeadLetterQueue"]
    expect(stack["Parameters"]["RejectedQueue"]["Default"] == "no", "queue.yaml: the queue for dead letters is made unasked")
    for key in ("DeletionPolicy", "UpdateReplacePolicy"):
        expect(queue[key] == dead[key], f"queue.yaml: {key} of Rejected is {queue[key]}")
    for key in ("MessageRetentionPeriod", "SqsManagedSseEnabled", "KmsMasterKeyId"):
        expect(queue["Properties"][key] == dead["Properties"][key], f"queue.yaml: {key} of Rejected is {queue['Properties'][key]}")
    expect(queue["Properties"]["MaximumMessageSize"] == 2**20, "queue.yaml: Rejected takes less than SQS can")
    expect(queue["Properties"]["RedriveAllowPolicy"] == {"redrivePermission": "denyAll"}, "queue.yaml: messages can be moved to Rejected")
    expect(queue["Properties"]["QueueName"] not in (dead["Properties"]["QueueName"], "Ref:QueueName"), "queue.yaml: Rejected is another queue's name")
    # The longest name that the parameter takes, with what is put behind it: SQS takes 80.
    longest = int(re.search(r"\{1,(\d+)\}", stack["Parameters"]["QueueName"]["AllowedPattern"])[1])
    for name in (found["Properties"]["QueueName"] for found in template.values() if found["Type"] == "AWS::SQS::Queue"):
        length = len(name.removeprefix("Sub:").removeprefix("Ref:").replace("${QueueName}", "").replace("QueueName", "")) + longest
        expect(length <= 80, f"queue.yaml: {name} can be {length} characters long")
    for kind in ("Resources", "Outputs"):
        for name, item in stack[kind].items():
            if name.startswith("Rejected"):
                expect(item.get("Condition") == "HasRejected", f"queue.yaml: {name} is there without HasRejected")


def queue_policies(stack):
    """Each queue has one policy, as SQS keeps it, that refuses what comes without TLS; and of all services only the named topics and rules
    send to the queue itself, where any are named."""
    template = stack["Resources"]
    found = {name: item["Properties"] for name, item in template.items() if item["Type"] == "AWS::SQS::QueuePolicy"}
    named = sorted(re.findall(r"Ref:(\w*(?:Queue|Rejected))\b", json.dumps([policy["Queues"] for policy in found.values()])))
    queues = sorted(name for name, item in template.items() if item["Type"] == "AWS::SQS::Queue")
    expect(named == queues, f"queue.yaml: queues {queues}, and policies of {named}: SQS keeps one for each")
    allowed = {}
    for name, policy in found.items():
        for statement in policy["PolicyDocument"]["Statement"]:
            condition, statement = (statement["If"][0], statement["If"][1]) if "If" in statement else (None, statement)
            if statement["Effect"] == "Allow":
                expect(policy["Queues"] == ["Ref:Queue"], f"queue.yaml: {name} lets others send to {policy['Queues']}")
                allowed[statement["Sid"]] = (condition, statement)
        first = policy["PolicyDocument"]["Statement"][0]
        refuses = (first["Effect"], first["Principal"], first["Action"], first["Condition"])
        expect(refuses == ("Deny", "*", "sqs:*", {"Bool": {"aws:SecureTransport": "false"}}), f"queue.yaml: {name} takes what comes without TLS")
    senders = {"Topics": ("HasTopics", "sns", "TopicArns"), "Rules": ("HasRules", "events", "RuleArns")}
    expect(set(allowed) == set(senders), f"queue.yaml: others may send too: {sorted(allowed)}")
    for sid, (condition, service, parameter) in senders.items():
        only = {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": ["sqs:SendMessage"],
            "Resource": "GetAtt:Queue.Arn",
            "Condition": {"ArnEquals": {"aws:SourceArn": f"Ref:{parameter}"}},
        }
        expect(allowed.get(sid) == (condition, only), f"queue.yaml: {sid} lets more send than {parameter}: {allowed.get(sid)}")
        empty = {"Not": [{"Equals": [{"Join": ["", f"Ref:{parameter}"]}, ""]}]}
        expect(stack["Conditions"][condition] == empty, f"queue.yaml: {condition} is not that {parameter} names any")
        declared = stack["Parameters"][parameter]
        expect((declared["Type"], declared["Default"]) == ("CommaDelimitedList", ""), f"queue.yaml: {parameter} names some unasked")
        account = "eu-west-1:123456789012"
        named = {"sns": f"arn:aws:sns:{account}:portal", "events": f"arn:aws-cn:events:{account}:rule/bus/portal"}[service]
        for arn, is_taken in ((named, True), ("", True), ("*", False), (named + "*", False), (f"arn:aws:{service}:*:*:*", False), (f"arn:aws:s3:{account}:b", False)):
            expect(bool(re.fullmatch(declared["AllowedPattern"], arn)) == is_taken, f"queue.yaml: {parameter} {'refuses' if is_taken else 'takes'} {arn!r}")


def policies():
    lint(sys.executable, BIN / "cfn-lint", AWS / "queue.yaml")
    stack = yaml.load((AWS / "queue.yaml").read_text(), Template)
    template = stack["Resources"]
    files = {path.stem: json.loads(path.read_text()) for path in (AWS / "policies").glob("*.json")}
    # Each file with the condition under which the template has it too.
    always, key, rejected, both = None, "HasKey", "HasRejected", "HasRejectedAndKey"
    alike = {
        "ConsumerPolicy": [("consumer", always), ("consumer-kms", key), ("consumer-rejected", rejected), ("producer-kms", both)],
        "ProducerPolicy": [("producer", always), ("producer-kms", key)],
        "ScalerPolicy": [("scaler", always)],
        "OperatorPolicy": [("operator", always), ("producer-kms", key), ("operator-rejected", rejected)],
    }
    expect(set(files) == {name for names in alike.values() for name, _ in names}, f"policies without a place in the template: {sorted(files)}")
    for resource, names in alike.items():
        document = template[resource]["Properties"]["PolicyDocument"]
        for conditions in ({always}, {always, key}, {always, rejected}, {always, key, rejected, both}):
            used = [name for name, condition in names if condition in conditions]
            ours = sorted(entry for name in used for entry in statements(files[name], set()))
            expect(sorted(statements(document, conditions)) == ours, f"{resource} of the template is not {' and '.join(used)}")
    for name, document in files.items():
        for statement in document["Statement"]:
            expect(statement["Effect"] == "Allow" and "*" not in json.dumps(statement), f"{name}: more than one queue or key")
    rejected_queue(stack)
    queue_policies(stack)

    # What the worker calls, by its own list; sending is the producer's, and who uses a dead-letter queue asks an operator.
    code = set(re.findall(r'"(sqs:\w+)"', (ROOT / "src/queue/sqs/calls.rs").read_text()))
    consumer = set(files["consumer"]["Statement"][0]["Action"])
    others = {"sqs:SendMessage", "sqs:ListDeadLetterSourceQueues"}
    expect(consumer == code - others and others <= code, f"the worker calls {code}, and may {consumer}")
    operator = {action for statement in files["operator"]["Statement"] for action in statement["Action"]}
    expect(code <= operator, f"an operator's commands call {code}, and may {operator}")
    # And of the queue that keeps dead letters: it is written by the worker, and read and emptied by an operator.
    for name, called in (
        ("consumer-rejected", {"sqs:SendMessage", "sqs:GetQueueAttributes"}),
        ("operator-rejected", {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}),
    ):
        allowed = {action for statement in files[name]["Statement"] for action in statement["Action"]}
        expect(allowed == called and called <= code, f"{name} allows {allowed}, called is {called} of {code}")
    page = (AWS / "README.md").read_text()
    for name, document in files.items():
        for action in (action for statement in document["Statement"] for action in statement["Action"]):
            expect(f"`{name}`" in page and f"`{action}`" in page, f"deploy/aws/README.md does not say what {name} needs {action} for")
    return scan("deploy/aws")


def compose():
    """Against the schema of the Compose specification, and what this one means."""
    document = yaml.safe_load((ROOT / "compose.yaml").read_text())
    lint(sys.executable, BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")
    services = document["services"]
    for name, service in services.items():
        pinnable = re.fullmatch(r"\$\{[A-Z]+_IMAGE:-\S+:[\w.-]+\}", service["image"])
        expect("build" in service or pinnable, f"compose.yaml: the image of {name} cannot be given by digest, or has no tag: {service['image']}")
    args = {name: f"${{{name}:-{base}}}" for name, base in bases().items()}
    expect(services["worker"]["build"]["args"] == args, f"compose.yaml: the base images are not those of the Dockerfile: {args}")
    for name, service in services.items():
        for other in service.get("depends_on", {}):
            expect(other in services, f"compose.yaml: {name} depends on {other}, which is not there")
        for port in service.get("ports", []):
            expect(port.startswith("127.0.0.1:"), f"compose.yaml: {name} listens on more than loopback: {port}")
    ports = " ".join(port for service in services.values() for port in service.get("ports", []))
    expect("9690" in ports, "compose.yaml: no status page")


def daemon():
    unit = ROOT / "deploy" / "systemd" / "longshore.service"
    # No score counts it: what a process that died leaves behind has the connection string and the bodies of messages in it.
    settings = [line.strip() for line in unit.read_text().splitlines()]
    expect(settings.count("LimitCORE=0") == 1, "longshore.service: a core dump would hold credentials and bodies: LimitCORE=0")
    page = (ROOT / "docs" / "DAEMON.md").read_text()
    expect("LimitCORE=0" in page, "docs/DAEMON.md does not say why there are no core dumps")
    if not shutil.which("systemd-analyze"):
        print("NOT RUN: deploy/systemd (no systemd-analyze)")
        return
    # 20 of 100: the exposure of 2.0 that is allowed. What is not installed here is no fault of the unit's.
    scored = run("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", unit)
    score = re.search(r"exposure level for longshore.service: ([\d.]+)", scored.stdout)
    expect(scored.returncode == 0 and score, f"systemd-analyze security: {scored.stdout[-400:]}{scored.stderr}")
    verified = run("systemd-analyze", "verify", unit)
    absent = ("is not executable", "'man longshore(1)' failed")
    complaints = [line for line in verified.stderr.splitlines() if not any(words in line for words in absent)]
    expect(not complaints, f"systemd-analyze verify: {complaints}")
    print(f"systemd-analyze security: exposure {score[1] if score else '?'}")


def main():
    accepted = image() | chart() | policies()
    compose()
    daemon()
    expect(accepted == set(ACCEPTED), f"accepted without need: {set(ACCEPTED) - accepted}")
    for finding in sorted(accepted):
        print(f"left: {finding}: {ACCEPTED[finding]}")
    end()


main()
