// sqs-consumer and mongodb at their best: several consumers, batches, unordered writes. Arguments: endpoint, queue URL, MongoDB URI,
// consumers, and `guarded` or `last` (who wins).

import { Long, MongoBulkWriteError, MongoClient } from "mongodb";
import { DeleteMessageBatchCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

const DUPLICATE_KEY = 11000;

const [endpoint, queueUrl, uri, count, whoWins] = process.argv.slice(2);
const calls = { receive: 0, delete: 0 };

/** Microseconds of a time as producers write it: epoch seconds, or ISO 8601 without an offset, in UTC. */
function micros(value) {
    if (typeof value === "number") {
        return Math.round(value * 1e6);
    }
    const [seconds, fraction = ""] = value.replace(" ", "T").split(".");
    const millis = Date.parse(`${seconds}Z`);
    if (Number.isNaN(millis)) {
        throw new RangeError(`no time: ${value}`);
    }
    return millis * 1000 + Number(fraction.padEnd(6, "0").slice(0, 6));
}

const date = (micros) => new Date(Math.floor(micros / 1000));

/**
 * The update of a keyed document. Guarded: one that is newer does not match, and inserting another is refused by the unique index. Otherwise the
 * last to come wins, as in the helper that wrote from each web request.
 */
function keyed(key, values, version) {
    if (whoWins !== "guarded") {
        return { filter: key, values };
    }
    const stored = Long.fromNumber(version);
    return { filter: { ...key, version: { $lte: stored } }, values: { ...values, version: stored } };
}

/** The collection and the write of one message. */
function write(body) {
    try {
        const { type, ...message } = JSON.parse(body);
        if (type === "event") {
            const { id, ...rest } = message;
            return ["events", { insertOne: { document: { _id: id, ...rest, timestamp: date(micros(message.timestamp)) } } }];
        }
        if (type === "session") {
            const at = micros(message.last_accessed);
            const { filter, values } = keyed({ session_id: message.session_id }, { data: message.data, last_accessed: date(at) }, at);
            return ["sessions", { updateOne: { filter, update: { $set: values }, upsert: true } }];
        }
        if (type === "cache") {
            const at = micros(message.updated);
            const { filter, values } = keyed({ user_id: message.user_id }, { data: message.data, updated: date(at) }, at);
            return ["user_cache", { replaceOne: { filter, replacement: { user_id: message.user_id, ...values }, upsert: true } }];
        }
        throw new TypeError(`no type ${type}`);
    } catch (error) {
        return ["dead_letters", { insertOne: { document: { body, reason: String(error) } } }];
    }
}

/** The operations that met a duplicate key. Anything else that is wrong is thrown. */
async function bulkWrite(collection, operations) {
    try {
        await collection.bulkWrite(operations, { ordered: false });
        return [];
    } catch (error) {
        const errors = error instanceof MongoBulkWriteError ? [error.writeErrors].flat() : [];
        const isOther = errors.length === 0 || error.result?.getWriteConcernError() || errors.some(({ code }) => code !== DUPLICATE_KEY);
        if (isOther) {
            throw error;
        }
        return errors.map(({ index }) => operations[index]);
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
        [...writes].map(async ([name, operations]) => {
            const duplicates = await bulkWrite(database.collection(name), operations);
            // An event that is there already, or an update that is older or met the first one of its key: once more tells which.
            if (duplicates.length > 0 && name !== "events") {
                await bulkWrite(database.collection(name), duplicates);
            }
        }),
    );
    return messages;
}

/** What it did counts for nothing. */
function fails(error) {
    console.error(String(error));
    process.exit(1);
}

const sqs = new SQSClient({ endpoint });
sqs.middlewareStack.add((next, { commandName }) => (request) => {
    if (commandName === ReceiveMessageCommand.name) calls.receive += 1;
    if (commandName === DeleteMessageBatchCommand.name) calls.delete += 1;
    return next(request);
});
const consumers = Array.from({ length: Number(count) }, () =>
    Consumer.create({ queueUrl, sqs, batchSize: 10, waitTimeSeconds: 1, handleMessageBatch }),
);
for (const consumer of consumers) {
    consumer.on("error", fails);
    consumer.on("processing_error", fails);
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
