//! Lines to copy and paste.

use crate::dev::double::addresses::Addresses;
use crate::queue::name::is_fifo;

/// What one can do with a running `longshore dev`.
pub fn instructions(addresses: &Addresses) -> String {
    let Addresses { double, sqs_endpoint_url: endpoint, queue_url: queue, mongo_uri: uri, .. } =
        addresses;
    // As it was called: it may be on no PATH.
    let program = std::env::args().next().unwrap_or_else(|| "longshore".to_owned());
    let page = addresses.status_page.as_ref();
    let page = page.map(|page| format!("# Watch\n# {page}\n\n")).unwrap_or_default();
    // A FIFO queue takes nothing without a group, and forgets what it has already for five minutes.
    let [send, python, cli] = if is_fifo(queue) {
        [
            " --group-id example",
            ", MessageGroupId=\"example\", MessageDeduplicationId=str(uuid.uuid4())",
            " \\\n  --message-group-id example --message-deduplication-id \"$(date +%s%N)\"",
        ]
    } else {
        [""; 3]
    };
    format!(
        r#"
The worker is receiving. Send it something. Each block can be pasted into a shell as it is.

# Longshore
export AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local
export LONGSHORE__QUEUE__ENDPOINT_URL={endpoint} LONGSHORE__QUEUE__URL={queue}
export MONGO_CACHE_URI='{uri}'
echo '{{"type":"event","user_id":123,"event_type":"login"}}' | {program} send{send}
{program} stats

# Python (pip install boto3)
python3 - <<'END'
import boto3, json, uuid
sqs = boto3.client("sqs", endpoint_url="{endpoint}", region_name="us-east-1",
                   aws_access_key_id="local", aws_secret_access_key="local")
sqs.send_message(QueueUrl="{queue}", MessageBody=json.dumps(
    {{"type": "event", "user_id": 123, "event_type": "login"}}){python})
END

# AWS CLI
AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local aws sqs send-message --region us-east-1 \
  --endpoint-url {endpoint} --queue-url {queue} \
  --message-body '{{"type":"session","session_id":"s-81","data":{{"cart":[]}}}}'{cli}

# Ask what became of it: for tests of a producer
curl --fail-with-body -sS '{double}/wait?count=1'
curl --fail-with-body -sS {double}/good
curl --fail-with-body -sS {double}/bad
curl --fail-with-body -sS -X POST {double}/reset

# Look
mongosh '{uri}' --eval 'db.events.find()'

{page}Ctrl-C drains and ends, which takes as long as a receive waits; nothing is kept."#
    )
}
