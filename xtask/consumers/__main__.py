"""The programs that read our tokens, started for real: `cargo xtask consumers [NAME…] [algorithm=NAME]`."""

import concurrent.futures
import contextlib
import pathlib
import signal
import sys
import traceback

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[2] / "compat/tests"))

import dovecot
import ejabberd
import influxdb
import languages
import node_libraries
import page
import proxies
import python_applications
import python_libraries
import rabbitmq
import rotation
import slurm
import synapse_server
from scenario import run, table

MODULES = (
    python_libraries,
    python_applications,
    node_libraries,
    languages,
    proxies,
    dovecot,
    rabbitmq,
    ejabberd,
    slurm,
    influxdb,
    synapse_server,
)
CONSUMERS = [consumer() for module in MODULES for consumer in module.CONSUMERS]
# Most of the time is spent waiting.
AT_ONCE = 4
# Of what is said about one mistake.
MOST = 2500


def attempt(consumer):
    """The row, or None, and what went wrong."""
    with contextlib.ExitStack() as stack:
        try:
            row = run(consumer, stack)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            return None, [f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"]
        return row, row.surprises


def chosen(words):
    known = {one.name: one for one in CONSUMERS}
    found = [one for name, one in known.items() if not words or any(word.lower() in name.lower() for word in words)]
    if not found:
        sys.exit(f"there is no consumer of that name; there are: {'; '.join(known)}")
    return found


def needs(words):
    """What has to be installed: for `cargo xtask consumers`, which does that."""
    consumers = rotation.CONSUMERS if words[:1] == ["rotation"] else chosen(words)
    return sorted({need for consumer in consumers for need in consumer.needs})


def main(words):
    # What was started ends on the way out.
    for word in words:
        if word.startswith("algorithm="):
            page.USED = word.partition("=")[2]
    words = [word for word in words if "=" not in word]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    match words:
        case ["needs", *rest]:
            print(*needs(rest))
            return 0
        case ["rotation", *seconds]:
            return rotation.run(*map(float, seconds))
    consumers = chosen(words)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(attempt, consumers))
    print(f"\n{table([row for row, _ in outcomes if row])}\n")
    failed = [(consumer, wrong) for consumer, (_, wrong) in zip(consumers, outcomes) if wrong]
    for consumer, wrong in failed:
        print(f"{consumer.name}:", *(text[:MOST] for text in wrong), sep="\n  ", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
