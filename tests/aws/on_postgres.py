"""The stories once more with the metadata in PostgreSQL instead of SQLite: a server of its own in a temporary folder."""

import glob
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# Which stories, and which tests of them; CLARY_LONG tells all.
STORIES = {
    "logs_metrics": [],
    "s3": ["objects_come", "conditions_of_writes", "listings", "versions", "uploads"],
    "iam": ["reader", "roles_are", "audit"],
    "training": ["a_built_in", "stop_and", "lists"],
    "hosting": ["deploy", "weight"],
}
SKIPPED = 77


def programs():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    return os.path.dirname(found[-1]) if found else None


def main():
    folder = programs()
    if not folder:
        print("skipped: no PostgreSQL on this machine (Debian's package postgresql)")
        return SKIPPED
    # Not in the runner's own folder, which the user of PostgreSQL may not enter.
    home = tempfile.mkdtemp(prefix="clary-postgres-", dir="/tmp" if os.geteuid() == 0 else None)
    user = None
    if os.geteuid() == 0:  # it refuses to run as root
        user = pwd.getpwnam("postgres" if any(u.pw_name == "postgres" for u in pwd.getpwall()) else "nobody")
        os.chown(home, user.pw_uid, user.pw_gid)
    become = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    data, port = os.path.join(home, "data"), free_port()
    passed = failed = skipped = 0
    try:
        subprocess.run([os.path.join(folder, "initdb"), "-D", data, "-U", "clary", "-A", "trust", "-E", "UTF8", "--no-sync"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=home, timeout=120, **become)
        server = subprocess.Popen([os.path.join(folder, "postgres"), "-D", data, "-k", home, "-h", "127.0.0.1", "-p", str(port), "-F"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=home, **become)
        try:
            wait_for(port)
            url = "postgres://clary@127.0.0.1:%d/postgres" % port
            for story, words in STORIES.items():
                file = os.path.join(HERE, story + ".py")
                if not os.path.exists(file):
                    continue
                words = [] if os.environ.get("CLARY_LONG") else words
                done = subprocess.run([sys.executable, file, *words], env=dict(os.environ, CLARY_TEST_DATABASE=url), text=True, timeout=500,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
                try:
                    counts = [int(part.split()[0]) for part in last.split(",")]
                except (ValueError, IndexError):
                    counts = [0, 1, 0]
                passed, failed, skipped = passed + counts[0], failed + counts[1], skipped + (counts[2] if len(counts) > 2 else 0)
                if done.returncode:
                    print("---- %s on PostgreSQL\n%s" % (story, done.stdout[-6000:]))
        finally:
            server.terminate()
            server.wait(30)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed else 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("PostgreSQL did not start")


if __name__ == "__main__":
    sys.exit(main())
