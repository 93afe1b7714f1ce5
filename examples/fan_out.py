"""Through SNS or EventBridge into the queue of a worker: how each is set up, and how to publish.

    topic = set_up(queue_url)
    publish(topic, [{"type": "event", "id": "7f0c-11", "user_id": 123, "event_type": "login"}])
    put([("portal.login", {"id": "7f0c-12", "user_id": 123, "event_type": "login"})])

The worker reads fan_out.toml. In the end what is set up by calls here belongs into your CloudFormation or Terraform.
"""

import json
import time

import boto3
from botocore.config import Config

CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 3, "mode": "standard"})
sns, events, sqs = (boto3.client(service, config=CONFIG) for service in ("sns", "events", "sqs"))


def allow(queue_url, sources):
    """Lets each of the sources, which are ARNs of topics and rules, send to the queue, and no other topic or rule of anybody.

    It replaces the queue's policy. A queue that is encrypted with a key of your own needs the like in the key's policy.
    """
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com" if ":sns:" in source else "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            # Without it the services would send for every account that asks them to.
            "Condition": {"ArnEquals": {"aws:SourceArn": source}},
        }
        for source in sources
    ]
    policy = {"Version": "2012-10-17", "Statement": statements}
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"Policy": json.dumps(policy)})
    return queue_arn


def set_up(queue_url, topic_name="portal", rule_name="portal"):
    """A topic and a rule that both end in the queue. Returns the topic's ARN."""
    topic = sns.create_topic(Name=topic_name)["TopicArn"]
    rule = events.put_rule(Name=rule_name, EventPattern=json.dumps({"source": ["portal"]}))["RuleArn"]
    queue_arn = allow(queue_url, [topic, rule])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    # The whole event goes on: no Input, InputPath or InputTransformer, which would take away its id, its time and its type.
    failed = events.put_targets(Rule=rule_name, Targets=[{"Id": "queue", "Arn": queue_arn}])["FailedEntries"]
    if failed:
        raise RuntimeError(f"the rule has no target: {failed}")
    return topic


def publish(topic, bodies):
    """To SNS. A body says its `type`, as on the queue itself. Give an event an `id`, and everything else its version field:
    SNS gives what is sent again another MessageId, and two updates within a millisecond no order.
    """

    def send(ten):
        entries = [{"Id": str(place), "Message": json.dumps(body, allow_nan=False)} for place, body in enumerate(ten)]
        said = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
        return [int(one["Id"]) for one in said["Failed"]]

    in_tens(bodies, send)


def put(typed):
    """To EventBridge: pairs of a detail-type, which names the route by `message.types`, and a detail. Give an event an `id`, and
    everything else its version field: EventBridge gives what is sent again another id, and times in whole seconds.
    """

    def send(ten):
        entries = [{"Source": "portal", "DetailType": type, "Detail": json.dumps(detail, allow_nan=False)} for type, detail in ten]
        said = events.put_events(Entries=entries)
        return [place for place, one in enumerate(said["Entries"]) if one.get("ErrorCode")]

    in_tens(typed, send)


def in_tens(items, send, tries=5):
    """Sends ten at a time, and again those whose places `send` returns: both services may take some and fail others."""
    for start in range(0, len(items), 10):
        waiting = items[start : start + 10]
        for attempt in range(tries):
            waiting = [waiting[place] for place in send(waiting)]
            if not waiting:
                break
            time.sleep(0.1 * 2**attempt)
        else:
            raise RuntimeError(f"{len(waiting)} failed {tries} times; the first: {waiting[0]}")
