"""Holds what Longshore wrote against what the portal wrote itself: `compare.py DIRECT SHADOW KEY VERSION`, as in

    compare.py events   events_shadow     _id        timestamp
    compare.py sessions sessions_shadow   session_id last_accessed

It reads the database of MONGO_CACHE_URI. What is older than the start of writing both ways (--since) and what was written
in the last minute (--settle, seconds) does not count. Exit status: 0 where nothing is missing, older or different; 1 where
something is; 2 where there was nothing to compare.
"""

import argparse
from datetime import datetime, timedelta, timezone

from longshore_producer import MongoManager

OURS = {"_id": 0, "_ingest": 0}  # Only an event's `_id` is compared: as its key.


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("direct", "shadow", "key", "version"):
        parser.add_argument(name)
    parser.add_argument("--since", type=datetime.fromisoformat, default=datetime(1970, 1, 1), help="such as 2026-11-28T12:00:00, in UTC")
    parser.add_argument("--settle", type=float, default=60, help="seconds")
    given = parser.parse_args()
    until = datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(seconds=given.settle)

    found = {"same": [], "missing": [], "older": [], "different": [], "newer": []}
    page = []
    database = MongoManager.get()
    for document in database[given.direct].find({given.version: {"$gte": given.since, "$lt": until}}):
        page.append(document)
        if len(page) == 1000:
            look(database[given.shadow], page, given.key, given.version, found)
            page = []
    look(database[given.shadow], page, given.key, given.version, found)

    compared = sum(map(len, found.values()))
    print(f"{compared} documents of {given.direct} with {given.version} from {given.since} to {until} (UTC), in {database.name}")
    if not compared:
        print("nothing was compared: check the names of the collection and of the version field, and that --since is UTC")
        return 2
    for verdict, keys in found.items():
        print(f"{verdict:>10} {len(keys):>8}", *([] if verdict == "same" else keys[:5]))
    return 1 if found["missing"] or found["older"] or found["different"] else 0


def look(shadow, page, key, version, found):
    there = {document[key]: document for document in shadow.find({key: {"$in": [document[key] for document in page]}})}
    for direct in page:
        ours = there.get(direct[key])
        found[verdict(direct, ours, version)].append(direct[key])


def verdict(direct, ours, version):
    if ours is None:
        return "missing"
    if ours[version] < direct[version]:
        return "older"
    # Written since `direct` was read; or the direct way lost a race of two requests, which the version decides at Longshore.
    if ours[version] > direct[version]:
        return "newer"
    same = {k: v for k, v in ours.items() if k not in OURS} == {k: v for k, v in direct.items() if k not in OURS}
    return "same" if same else "different"


if __name__ == "__main__":
    raise SystemExit(main())
