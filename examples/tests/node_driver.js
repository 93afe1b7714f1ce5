// What the test of the Node example has it do: the name of a job, then what the job needs.

import { message, send } from "./producer.js";

const jobs = {
  async kinds() {
    await send([
      message("event", { user_id: 123, event_type: "login", metadata: { ip: "10.0.0.1" } }),
      message("session", { session_id: "s-81", data: { cart: [{ sku: "ä", qty: 1 }] } }),
      message("cache", { user_id: 123, data: { plan: "pro" } }),
    ]);
  },
  async refused(traceparent) {
    await send([message("event", { user_id: 123 }, traceparent)]);
  },
  async other() {
    await send([message("order", { order_id: 7 })]);
  },
  async states() {
    // Three in a row for each key, mostly within one millisecond.
    const states = Array.from({ length: 40 }, (_, key) => [0, 1, 2].map((visit) => [`s-${key}`, visit])).flat();
    await send(states.map(([key, visit]) => message("session", { session_id: key, data: { visit } })));
    // Where versions are equal, the rising ids decide.
    const last_accessed = "2026-11-22T10:00:00Z";
    await send(states.map(([key, visit]) => message("cache", { user_id: key, updated: last_accessed, data: { visit } })));
  },
  async still() {
    const now = Date.now();
    Date.now = () => now;
    // More than one millisecond has room for.
    const made = Array.from({ length: 12000 }, (_, visit) => message("session", { session_id: "s-1", data: { visit } }));
    await send([...made.slice(9990, 10000), ...made.slice(-10)].reverse());
  },
  async twice() {
    const made = Array.from({ length: 5 }, (_, user_id) => message("event", { user_id, event_type: "login" }));
    await send(made);
    await send(made);
  },
  async events(count, tries) {
    await send(
      Array.from({ length: Number(count) }, (_, user_id) => message("event", { user_id, event_type: "login" })),
      tries && Number(tries),
    );
  },
};

const [name, ...given] = process.argv.slice(2);
await jobs[name](...given);
