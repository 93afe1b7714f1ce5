// sqs-consumer and mongodb at their best: several consumers, batches, unordered writes. Arguments: endpoint, queue URL, MongoDB URI.

import { MongoClient, MongoBulkWriteError } from "mongodb";
import { DeleteMessageBatchCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

const CONSUMERS = 8;
const DUPLICATE_KEY = 11000;

const [endpoint, queueUrl, uri] = process.argv.slice(2);
const calls = { receive: 0, delete: 0 };

/** A time as producers write it: epoch seconds, or ISO 8601 without an offset, in UTC. */
function time(value) {
    const date = typeof value === "number" ? new Date(value * 1000) : new Date(`${value.replace(" ", "T")}Z`);
    if (Number.isNaN(date.getTime())) {
        throw new RangeError(`no time: ${value}`);
    }
    return date;
}

/** The collection and the write of one message, as the helper module did it in each web request. */
function write(body) {
    try {
        const { type, ...message } = JSON.parse(body);
        if (type === "event") {
            const { id, ...rest } = message;
            return ["events", { insertOne: { document: { _id: id, ...rest, timestamp: time(message.timestamp) } } }];
        }
        if (type === "session") {
            const $set = { data: message.data, last_accessed: time(message.last_accessed) };
            return ["sessions", { updateOne: { filter: { session_id: message.session_id }, update: { $set }, upsert: true } }];
        }
        if (type === "cache") {
            const replacement = { user_id: message.user_id, data: message.data, updated: time(message.updated) };
            return ["user_cache", { replaceOne: { filter: { user_id: message.user_id }, replacement, upsert: true } }];
        }
        throw new TypeError(`no type ${type}`);
    } catch (error) {
        return ["dead_letters", { insertOne: { document: { body, reason: String(error) } } }];
    }
}

const client = await new MongoClient(uri, { writeConcern: { w: "majority" } }).connect();
const database = client.db();
// Without them two first updates of one session make two documents.
await database.collection("sessions").createIndex("session_id", { unique: true });
await database.collection("user_cache").createIndex("user_id", { unique: true });

async function handleMessageBatch(messages) {
    const writes = new Map();
    for (const { Body } of messages) {
        const [collection, operation] = write(Body);
        writes.set(collection, [...(writes.get(collection) ?? []), operation]);
    }
    await Promise.all(
        [...writes].map(async ([collection, operations]) => {
            try {
                await database.collection(collection).bulkWrite(operations, { ordered: false });
            } catch (error) {
                const isThere = error instanceof MongoBulkWriteError && [error.writeErrors].flat().every(({ code }) => code === DUPLICATE_KEY);
                if (!isThere) {
                    throw error;
                }
            }
        }),
    );
    return messages;
}

const sqs = new SQSClient({ endpoint });
sqs.middlewareStack.add((next, { commandName }) => (request) => {
    if (commandName === ReceiveMessageCommand.name) calls.receive += 1;
    if (commandName === DeleteMessageBatchCommand.name) calls.delete += 1;
    return next(request);
});
const consumers = Array.from({ length: CONSUMERS }, () =>
    Consumer.create({ queueUrl, sqs, batchSize: 10, waitTimeSeconds: 1, handleMessageBatch }),
);
for (const consumer of consumers) {
    consumer.on("error", (error) => console.error(String(error)));
    consumer.on("processing_error", (error) => console.error(String(error)));
    consumer.start();
}
console.error(JSON.stringify({ message: "started" }));
process.once("SIGTERM", async () => {
    await Promise.all(
        consumers.map((consumer) => new Promise((stopped) => consumer.once("stopped", stopped) && consumer.stop())),
    );
    await client.close();
    console.error(JSON.stringify({ message: "ended", "calls.receive": calls.receive, "calls.delete": calls.delete }));
    process.exit(0);
});
