// Events, sessions and cache entries from Node, with the AWS SDK and nothing else.
//
//   await send([
//     message("event", { user_id: 123, event_type: "login", metadata: { ip: "10.0.0.1" } }),
//     message("session", { session_id: "s-81", data: { cart: [] } }, request.headers.traceparent),
//     message("cache", { user_id: 123, data: { plan: "pro" } }),
//   ]);
//
// Ten bodies go in one request, which may have 1 MiB: send larger ones alone. A FIFO queue wants a MessageGroupId (the key) and a
// MessageDeduplicationId (the id) as well.

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";

const queueUrl = process.env.LONGSHORE__QUEUE__URL;
const sqs = new SQSClient({
  maxAttempts: 3,
  // Milliseconds. Without throwOnRequestTimeout a request that takes longer is only logged.
  requestHandler: { connectionTimeout: 2000, requestTimeout: 5000, throwOnRequestTimeout: true },
});
// Another route gets no time but that of `longshore-time`, unless its name is added here.
const timeOf = { event: "timestamp", session: "last_accessed", cache: "updated" };

let ms = 0;
let count = 0;

// Gives a message its identity. Made once and sent as often as it takes, it ends in one document.
export function message(type, fields, traceparent) {
  // Date.now() is the same for many calls, and may be set back. The later of two calls must have the greater time: so they are counted.
  const now = Date.now();
  if (now > ms) [ms, count] = [now, 0];
  else if (++count === 4096) [ms, count] = [ms + 1, 0];
  // "2026-11-22T10:00:00.123Z" with the count as four digits more: versions are compared to the nanosecond, as they are written.
  const said = new Date(ms).toISOString().replace("Z", String(count).padStart(4, "0") + "Z");
  const attributes = { "longshore-time": String(ms), "longshore-id": uuid7(ms, count) };
  // The worker links its batch to this span.
  if (traceparent) attributes.traceparent = traceparent;
  return {
    // JSON.stringify makes null of NaN, and throws at a BigInt: send integers beyond 2^53 as { $numberLong: "9007199254740993" }.
    MessageBody: JSON.stringify({ type, ...(timeOf[type] && { [timeOf[type]]: said }), ...fields }),
    MessageAttributes: Object.fromEntries(
      Object.entries(attributes).map(([name, text]) => [name, { DataType: "String", StringValue: text }]),
    ),
  };
}

// RFC 9562, version 7, with the count where it has 12 random bits: it rises within a millisecond too.
function uuid7(ms, count) {
  const random = randomBytes(8);
  random[0] = (random[0] & 0x3f) | 0x80;
  const hex = ms.toString(16).padStart(12, "0") + "7" + count.toString(16).padStart(3, "0") + random.toString("hex");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}

// Throws where some are not in the queue. Send the same messages again then: those that were sent are not doubled.
export async function send(messages, tries = 5) {
  for (let start = 0; start < messages.length; start += 10) {
    let waiting = messages.slice(start, start + 10);
    for (let attempt = 0; waiting.length > 0; attempt++) {
      const Entries = waiting.map((one, place) => ({ Id: String(place), ...one }));
      // SQS may take some and fail others, in an answer that is no error.
      const { Failed = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
      waiting = Failed.map((one) => waiting[Number(one.Id)]);
      if (waiting.length > 0 && attempt + 1 === tries) {
        throw new Error(`SQS failed ${waiting.length} messages ${tries} times, the first with ${Failed[0].Code}`);
      }
      if (waiting.length > 0) await sleep(100 * 2 ** attempt);
    }
  }
}
