"""Breaks the pipeline in many ways, one by one, and sees whether the simulated worlds find each: `make mutations`.

Each mutation replaces one piece of the sources, in a copy of them. White space is as good as other white space. A piece that is not
there exactly once is an error: the sources have moved on, and the mutation must follow. SEEDS sets how many worlds are run for each at most (1000; fewer once three
have failed), ONLY a regular expression for their names. Exits 1 where a mutation was not found, or does not compile. With `--pieces` it only looks whether each piece is there.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SEEDS = os.environ.get("SEEDS") or "1000"
ENOUGH = "3"
ONLY = os.environ.get("ONLY", "")
CARGO = os.environ.get("CARGO", "cargo")
# Worlds in which messages are stuck take long.
TIMEOUT_S = 900

# Name, file, what stands there, what is put there.
MUTATIONS = [
    (
        "delete what was not confirmed",
        "src/lane/writing.rs",
        "            WriteOutcome::Unconfirmed(fault) => {\n",
        "            WriteOutcome::Unconfirmed(_) if group.lost < LOST_MAX => {\n"
        "                group.items.into_iter().flat_map(Item::into_parts).for_each(|part| done(context, part));\n            }\n"
        "            WriteOutcome::Unconfirmed(fault) => {\n",
    ),
    (
        "ignore a failed delete entry",
        "src/settle/calls.rs",
        "Some(EntryOutcome::Stale) => {}",
        "Some(EntryOutcome::Stale | EntryOutcome::Failed(_)) => {}",
    ),
    (
        "drop the comparison of versions in the join",
        "src/version.rs",
        "Some(if b > a {",
        "Some(if b == a {",
    ),
    (
        "compare versions without the length of the origin's id",
        "src/version.rs",
        "            .then(self.origin_id.len().cmp(&other.origin_id.len()))\n",
        "",
    ),
    (
        "send a batch again before the server has taken another write",
        "src/lane/writing.rs",
        "if group.is_unanswered && !context.is_store_well().await {",
        "if group.is_unanswered && group.items.is_empty() {",
    ),
    (
        "close the gate for the trouble of one collection",
        "src/lane/policy.rs",
        "WriteTrouble::Collection if standing.is_confined => return GroupDecision::Leave,",
        "",
    ),
    (
        "drop the half of a join that was refused",
        "src/lane/item.rs",
        "[Self::of(self.parts), Self::of(newer)]",
        "[Self::of(self.parts), Self::of(newer).filter(|_| false)]",
    ),
    (
        "retry a poison message",
        "src/pipeline/intake.rs",
        "self.rejects.send(RejectedIn::Intake, receipt, rejection);",
        "let _ = (rejection, RejectedIn::Intake);\n        self.settle.leave(receipt);",
    ),
    (
        "forget to extend visibility",
        "src/queue/visibility.rs",
        "due.into_iter().partition(",
        "due.into_iter().filter(|due| asked_for(due) > crate::queue::HOLD_MAX).partition(",
    ),
    (
        "never close the gate",
        "src/lane/policy.rs",
        "if patience == Patience::Left { GroupDecision::Retry } else { GroupDecision::CloseGate }",
        "GroupDecision::Retry",
    ),
    (
        "give back at once when the gate closes",
        "src/gate.rs",
        "Self { receiving: 0, .. } => GateState::Shut,\n            Self { .. } => GateState::Closed,",
        "Self { .. } => GateState::Shut,",
    ),
    (
        "never halve a batch that breaks its connection",
        "src/lane/policy.rs",
        "if items == Count::Many && lost >= LOST_MAX =>",
        "if items == Count::Many && lost > 1_000_000 =>",
    ),
    (
        "dead-letter all parts of a rejected join",
        "src/lane/writing.rs",
        "let decision = policy::of_item(outcome, item.messages(), is_store_well);",
        "let decision = policy::of_item(outcome, policy::Count::One, is_store_well);",
    ),
    (
        "dead-letter at the first doubt",
        "src/lane/policy.rs",
        "let is_old = doubt.age >= PROVEN_AFTER.min(budget / 2);\n    doubt.times >= DOUBTS_MAX || is_old && doubt.were_others_confirmed",
        "doubt.times >= DOUBTS_MAX.min(1) || budget.is_zero()",
    ),
    (
        "never let go",
        "src/lane/context.rs",
        "        self.flow.stop.letting_go().await;\n        self.gate.quiet().await;",
        "        std::future::pending::<()>().await;",
    ),
    (
        "hold a message for more than 12 hours",
        "src/queue.rs",
        "pub const HOLD_MAX: Duration = Duration::from_hours(11);",
        "pub const HOLD_MAX: Duration = Duration::from_hours(40);",
    ),
    (
        "receive after the stop",
        "src/queue/pollers.rs",
        "() = context.flow.stop.draining() => return ReceiveOutcome::Stopped,\n            ready",
        "() = context.flow.stop.letting_go() => return ReceiveOutcome::Stopped,\n            ready",
    ),
    (
        "write what is past its TTL",
        "src/lane.rs",
        "if was_expired(context, &part) {",
        "if was_expired(context, &part) && context.batch.docs_max == 0 {",
    ),
    (
        "receive without room",
        "src/budget.rs",
        "if !has_places || state.used.bytes - state.beyond + bytes > bytes_max {",
        "if !has_places && bytes > bytes_max {",
    ),
    (
        "end a lane only when the worker lets go",
        "src/lane.rs",
        "alone.is_empty() {\n            return;",
        "alone.is_empty() {\n            return context.flow.stop.letting_go().await;",
    ),
    (
        "give back at a stop what waits",
        "src/lane.rs",
        "(gate == GateState::Shut || context.is_letting_go())",
        "(gate == GateState::Shut || context.flow.stop.is_draining())",
    ),
    (
        "forget a message that was extended",
        "src/lane/ending.rs",
        "    context.settle.delete(part.receipt, part.ending);",
        "    if part.receipt.received_at.elapsed() > std::time::Duration::from_secs(25) {\n        return part.receipt.settled();\n    }\n"
        "    context.settle.delete(part.receipt, part.ending);",
    ),
    (
        "hold the documents that are made of messages for nothing",
        "src/pipeline/intake.rs",
        "if !room.give(&mut receipt.permit, beyond) {",
        "if room.bytes() == usize::MAX && beyond > 0 {",
    ),
    (
        "take a failed extension for one that was granted",
        "src/queue/visibility.rs",
        "cause = text;\n                    }\n                    self.held.extended(due.number, Instant::now() + RETRY_IN);",
        "cause = text;\n                    }\n                    self.held.extended(due.number, due_again);",
    ),
    (
        "do not ask again for extensions whose call failed",
        "src/queue/visibility.rs",
        "                self.put_off(chunk);\n                self.signals",
        "                self.signals",
    ),
    (
        "ask for each delete twice at once",
        "src/settle/calls.rs",
        "None => context.queue.delete(&handles).await,",
        "None => tokio::join!(context.queue.delete(&handles), context.queue.delete(&handles)).0,",
    ),
    (
        "give up deletes that the queue denies",
        "src/settle/calls.rs",
        "tries += u32::from(!is_kept);",
        "tries += 1;\n                let _ = is_kept;",
    ),
    (
        "delete the message of a dead letter that its queue failed to take",
        "src/dead_letter/queue.rs",
        "Some(SendOutcome::Failed(text)) => {",
        "Some(SendOutcome::Failed(_)) if !ready.outgoing.body.is_empty() => {\n"
        "    let ending = Ending::DeadLettered(ready.letter.record.reason);\n    context.settle.delete(ready.letter.receipt, ending);\n}\n"
        "Some(SendOutcome::Failed(text)) => {",
    ),
    (
        "delete the message of a dead letter that its queue refuses",
        "src/dead_letter/queue.rs",
        "is_over: true });\n                context.keep(ready.letter);",
        "is_over: true });\n                context.settle.delete(ready.letter.receipt, Ending::DeadLettered(ready.letter.record.reason));",
    ),
    (
        "delete the messages of dead letters whose queue is away",
        "src/dead_letter/queue.rs",
        "failed.into_iter().flatten().for_each(|ready| context.keep(ready.letter));",
        "failed.into_iter().flatten().for_each(|ready| context.settle.delete(ready.letter.receipt, Ending::DeadLettered(ready.letter.record.reason)));",
    ),
    (
        "take a dead letter of a message that was put back for the first one of it",
        "src/dead_letter/queue.rs",
        'format!("{id}-{}", message.message_id)',
        "id.to_owned()",
    ),
    (
        "record a dead letter without the end of its body",
        "src/dead_letter/record.rs",
        'record.text("body", &message.body);',
        "record.text(\"body\", message.body.trim_end_matches('}'));",
    ),
    (
        "put a dead letter back without the identity that it has",
        "src/dead_letter/again.rs",
        "    identify(&mut message, &origin);\n    Some(message)",
        "    let _ = origin;\n    Some(message)",
    ),
    (
        "delete by full tens only",
        "src/settle/lots.rs",
        "self.since.map(|since| since + self.linger)",
        "self.since.map(|since| since + self.linger).filter(|_| self.linger.is_zero() || self.settlements.len() >= BATCH_MAX)",
    ),
    (
        "delete past what a FIFO group gave back",
        "src/settle/groups.rs",
        "number <= self.at_number && sequence > self.sequence",
        "number <= self.at_number && sequence > self.sequence + (1 << 100)",
    ),
    (
        "cut versions to the millisecond",
        "src/route/keyed.rs",
        "        Ok(Version {\n            time,\n",
        "        Ok(Version {\n            time: Time::from_millis(time.millis()),\n",
    ),
    (
        "cut the origin's time to the millisecond",
        "src/route/keyed.rs",
        "origin_time: origin.rank(),",
        "origin_time: Time::from_millis(origin.rank().millis()),",
    ),
    (
        "leave out the sequence",
        "src/route/keyed.rs",
        "sequence: origin.sequence,",
        "sequence: 0,",
    ),
    (
        "forget the sequence of a replay",
        "src/message/origin.rs",
        "sequence: given_sequence(message)?,",
        "sequence: given_sequence(message)? & 0,",
    ),
    (
        "give every message that is sent once more its new sequence",
        "src/message/origin.rs",
        "let Some(text) = message.text(SEQUENCE_ATTRIBUTE) else { return Ok(0) };",
        "let Some(text) = message.text(SEQUENCE_ATTRIBUTE) else { return Ok(message.fifo.as_ref().map_or(0, |fifo| fifo.sequence)) };",
    ),
    (
        "take the identity that a sender gives for nothing",
        "src/decode.rs",
        "return Ok(Origin::of_attributes(message)?.unwrap_or_else(|| Origin::of_queue(message)));",
        "return Ok(Origin::of_queue(message));",
    ),
    (
        "leave the content out of the comparison",
        "src/version.rs",
        "            .then(self.content_hash.cmp(&other.content_hash))\n",
        "",
    ),
    (
        "leave the content out of versions",
        "src/route/keyed.rs",
        "content_hash: id::content_hash(self.record),",
        "content_hash: [0; crate::version::CONTENT_HASH_BYTES],",
    ),
    (
        "take another event under a given identity for one that is there",
        "src/route/insert.rs",
        "Identity::Queue if record.fields.get(ID).is_none() => KnownBy::Id,",
        "Identity::Queue | Identity::Given if record.fields.get(ID).is_none() => KnownBy::Id,",
    ),
    (
        "name an event without a time by its sending too",
        "src/route/id.rs",
        "let has_time = matches!(origin.identity, Identity::Queue | Identity::Given);",
        "let has_time = !matches!(origin.identity, Identity::Line(_));",
    ),
    (
        "extend what is being given back",
        "src/held.rs",
        "message.is_taken_over = true;",
        "message.is_taken_over = false;",
    ),
    (
        "give back without waiting for the extension in flight",
        "src/settle/parked.rs",
        "() = extension.over() => {}",
        "() = std::future::ready(drop(extension)) => {}",
    ),
    (
        "leave a message hidden that an extension hid after its release",
        "src/settle/overtaken.rs",
        "if locked.is_empty() {\n        return;",
        "if locked.len() < 1_000 {\n        return;",
    ),
    (
        "tell a backlog by the wall clock of this machine",
        "src/queue/pollers.rs",
        "let waited_ms = self.waits.longest_ms(messages);",
        "let waited_ms = messages.iter().map(|message| self.context.flow.clock.now_ms().saturating_sub(message.sent_ms)).max().unwrap_or(0);",
    ),
    (
        "forget a message that is given back",
        "src/lane/ending.rs",
        "        context.settle.release(part.receipt);",
        "        drop(part.receipt);",
    ),
    (
        "read an answer without room for it",
        "src/queue/pollers/room.rs",
        "if lacking == 0 || budget.try_extend(&mut self.permit, lacking) {",
        "if lacking == 0 || budget.try_extend(&mut self.permit, lacking) || !flow.stop.is_draining() {",
    ),
    (
        "let an answer wait for room until nothing hides it",
        "src/queue/pollers/room.rs",
        "(traits.visibility_timeout / 4).min(ROOM_WAIT_MAX);",
        "traits.visibility_timeout * 4;",
    ),
    (
        "never halve what took too long",
        "src/lane/policy.rs",
        "WriteTrouble::Refused | WriteTrouble::TimedOut if items == Count::Many => {",
        "WriteTrouble::Refused if items == Count::Many => {",
    ),
    (
        "ask the queue for ten whatever there is room for",
        "src/queue/sqs.rs",
        "max_number_of_messages: max,",
        "max_number_of_messages: BATCH_MAX,",
    ),
    (
        "extend what comes late at the next look",
        "src/queue/pollers.rs",
        "context.held.hurry();",
        "",
    ),
    (
        "ask a FIFO queue without the id of the attempt",
        "src/queue/sqs.rs",
        "attempt_id: attempt,",
        "attempt_id: attempt.filter(|_| false),",
    ),
    (
        "send again what was throttled",
        "src/queue/sqs/lean.rs",
        "            if !is_of_credentials(code) {\n",
        "            if matches!(code, \"RequestThrottled\" | \"ThrottlingException\") {\n                continue;\n            }\n"
        "            if !is_of_credentials(code) {\n",
    ),
    (
        "sign for the day before",
        "src/queue/sqs/lean/signer.rs",
        ".filter(|kept| kept.day() == &date[..DAY_LENGTH])",
        "",
    ),
    (
        "send another's receipt handle",
        "src/queue/sqs/wire/request.rs",
        "let entry = Entry { id, receipt_handle: handle,",
        "let entry = Entry { id, receipt_handle: self.0.last().unwrap_or(handle),",
    ),
    (
        "take what became of one entry for what became of another",
        "src/queue/sqs/wire/request.rs",
        "IDS.iter().zip(self.0)",
        "IDS[..self.0.len()].iter().rev().zip(self.0)",
    ),
    (
        "hide for a second more than was asked",
        "src/queue/sqs.rs",
        "visibility_timeout: whole_seconds(timeout),",
        "visibility_timeout: whole_seconds(timeout) + i32::from(!timeout.is_zero()),",
    ),
    (
        "take half an answer for an empty one",
        "src/queue/sqs/wire/answer.rs",
        "serde_json::from_str(str::from_utf8(body).ok()?).ok()",
        "Some(serde_json::from_str(str::from_utf8(body).ok()?).unwrap_or_default())",
    ),
    (
        "send again what had no answer",
        "src/queue/sqs/lean.rs",
        "let answer = self.pool.call(request).await?;",
        "let answer = match self.pool.call(request).await {\n                Ok(answer) => answer,\n"
        "                Err(_) => self.pool.call(self.request(C::TARGET, &body, signed_ms, &credentials)?).await?,\n            };",
    ),
    (
        "sign with the key of credentials that were replaced",
        "src/queue/sqs/lean/signer.rs",
        "kept.take_if(|kept| Arc::ptr_eq(&kept.credentials, credentials))",
        "kept.take()",
    ),
    (
        "keep signing for the wrong time",
        "src/queue/sqs/lean/clock.rs",
        "self.ahead_ms.store(ahead, Ordering::Relaxed);",
        "",
    ),
    (
        "take a refusal for an answer",
        "src/queue/sqs/lean.rs",
        "if answer.status.is_success() {",
        "if answer.status.as_u16() < 500 {",
    ),
    (
        "read an answer that others may have received meanwhile",
        "src/queue/sqs/lean/reading.rs",
        "timeout_at(until.min(piece_until), come)",
        "timeout_at(piece_until, come)",
    ),
    (
        "read the rest of a text that is passed over",
        "src/queue/sqs/wire/skim.rs",
        "b'\"' if !is_escaped => At::Between, _ => At::TextLeftOut",
        "b'\"' => At::Between,\n            _ => At::TextLeftOut",
    ),
    (
        "bring what is not read without its place in its group",
        "src/queue/sqs/received.rs",
        "let place = place.unwrap_or_default();",
        "let place = place.filter(|_| false).unwrap_or_default();",
    ),
    (
        "send once more what was found to have no answer",
        "src/lane/policy.rs",
        "Health::Well => return GroupDecision::Leave,",
        "Health::Well => {}",
    ),
    (
        "set nothing aside",
        "src/lane/policy.rs",
        "(_, Health::Well) => GroupDecision::SetAside,",
        "(_, Health::Well) => GroupDecision::CloseGate,",
    ),
    (
        "doubt for ever what is doubted again and again",
        "src/lane/policy.rs",
        "doubt.times >= DOUBTS_MAX || is_old && doubt.were_others_confirmed",
        "is_old && doubt.were_others_confirmed",
    ),
]


def piece(there):
    """What finds the piece, however its lines are broken."""
    return re.compile(r"\s+".join(re.escape(word) for word in there.split()))


def copy_sources(to):
    """The checkout as it is, changes included, but what is not tracked and ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    for name in subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            # As new, or cargo would not see that they are other files than those of the last run.
            shutil.copy(ROOT / name, to / name)


def run(at, target):
    """How many worlds failed, of how many, and the first of them; what was said where it did not come to that."""
    # Incremental: what is mutated is a line.
    environment = dict(os.environ, SEEDS=SEEDS, ENOUGH=ENOUGH, FIRST_SEED="0", CARGO_TARGET_DIR=str(target), RUST_BACKTRACE="0", CARGO_INCREMENTAL="1")
    build = [CARGO, "test", "--locked", "--profile", "demo", "--test", "it"]
    test = "simulation::every_promise_holds_in_as_many_worlds_as_you_like"
    ways = dict(cwd=at, env=environment, capture_output=True, text=True)
    # Outside the time limit: a build takes what the machine has left for it, a mutation that hangs has no end.
    built = subprocess.run([*build, "--no-run"], **ways)
    if built.returncode != 0:
        return None, 0, built.stderr[-2000:]
    try:
        done = subprocess.run([*build, "--", "--ignored", "--exact", "--nocapture", test], timeout=TIMEOUT_S, **ways)
    except subprocess.TimeoutExpired:
        return None, 0, f"no end within {TIMEOUT_S} s"
    said = done.stdout + done.stderr
    worlds = re.search(r"^(\d+) worlds with", said, re.MULTILINE)
    failed = re.search(r"^failed worlds: (\d+)$", said, re.MULTILINE)
    if not worlds or not failed:
        return None, 0, said[-2000:]
    first = re.search(r"^seed (\d+): +(?:[\d.]+ VIOLATION )?(.*)", said, re.MULTILINE)
    return int(failed[1]), int(worlds[1]), f"seed {first[1]}: {first[2][:110]}" if first else ""


def main():
    # Not the checkout's own: cargo would take what was built from the copy for what is built from the checkout.
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "mutations"
    missed = 0
    adrift, without = [], []
    for name, file, there, _ in MUTATIONS:
        found = len(piece(there).findall((ROOT / file).read_text()))
        if found != 1:
            adrift.append(f"mutations.py: {name}: its piece stands {found} times in {file}: adapt the mutation")
    if adrift:
        sys.exit("\n".join(adrift))
    if sys.argv[1:] not in ([], ["--pieces"]):
        sys.exit(f"{__doc__}\nmutations.py: it takes --pieces or nothing, not {' '.join(sys.argv[1:])}")
    if sys.argv[1:] == ["--pieces"]:
        return
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        at = Path(folder)
        copy_sources(at)
        print("| mutation | worlds | that found it | the first |\n|---|---|---|---|", flush=True)
        for name, file, there, instead in [("none", "src/lib.rs", "", "")] + MUTATIONS:
            if name != "none" and not re.search(ONLY, name):
                continue
            text = (ROOT / file).read_text()
            (at / file).write_text(piece(there).sub(lambda _: instead, text) if there else text)
            failed, worlds, what = run(at, target)
            (at / file).write_text(text)
            if name == "none" and failed != 0:
                sys.exit(f"mutations.py: {failed} worlds fail without any mutation: {what}")
            if failed is None:
                # The others still say something.
                without.append(f"mutations.py: {name}: no result: {what}")
                continue
            missed += name != "none" and not failed
            print(f"| {name} | {worlds} | {failed} | {what} |", flush=True)
    print("\n".join([*without, f"{missed} not found, {len(without)} without a result"]))
    sys.exit(missed > 0 or len(without) > 0)


if __name__ == "__main__":
    main()
