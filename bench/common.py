"""What the benchmarks share: run contenders in turn, each as a process, and compare.

A benchmark is a script bench/NAME.py that `make bench` runs (`make bench BENCH=NAME` only that):

    import common
    from common import Bench, call, clary, data, part

    def polars(path):                       # a peer: a function, run in a process of its own
        import polars as pl                 # imports are outside the measured part
        with part("read"):
            frame = pl.read_csv(path, has_header=False)
        return {"rows": frame.height}       # figures to show or to check

    def main():
        bench = Bench("csv", "Reading CSV")
        path = data("higgs", rows=1_000_000)["train.csv"]
        bench.compare(
            "numeric CSV, 1 M x 29", part="read", threads=1, unit="MB", amount=common.megabytes(path),
            contenders={
                "clary": clary("inspect", path, "--json"),   # or any list of words: a command
                "polars": call(polars, path),
            })
        bench.end()

    if __name__ == "__main__":
        common.main(main)

The first contender is the one that the others are compared with.  Every round runs each contender
once, in turn (A B A B ...), because this machine's speed may drift; the table shows the median of
the rounds, and the ratio is the median of the rounds' own ratios.  Processor time (user + system)
decides unless `by="wall"` says otherwise: on a shared machine wall time measures the neighbors.

What a contender reports: the last line of its output that is a JSON object.  `call` makes that line
from `part` blocks and from what the function returns.  A program of ours prints
`{"NAME_seconds": ..., "NAME_cpu_seconds": ..., "peak_rss_bytes": ..., other figures}`.  Without
part=, whole processes are compared, start and imports included: that is how a user at a shell sees
them.  With part="read", `read_cpu_seconds` of each (or, with by="wall", `read_seconds`).

`data(kind, rows=...)` makes data once under build/bench-data and returns {name: path}; bench/data.py
says what there is.  CLARY_BENCH_PYTHON names the interpreter that has the peers (default:
build/venv-bench, made by `tools/setup bench`).  CLARY_BENCH_ROUNDS sets the rounds.  A contender
that fails (not installed, say) is shown as failed with its last line, and the run goes on.
"""

import contextlib
import datetime
import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("CLARY_BUILD", os.path.join(ROOT, "build"))
RESULTS = os.path.join(BUILD, "bench")
DATA = os.path.join(BUILD, "bench-data")
MIB = 1024 * 1024

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS",
                    "NUMEXPR_NUM_THREADS", "RAYON_NUM_THREADS")


# ---- inside a contender's process ----------------------------------------------------------------

_figures = {}


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def status_bytes(field):
    """VmHWM (peak) or VmRSS of this process; unlike getrusage's, it does not start at the parent's."""
    with open("/proc/self/status") as status:
        return int(re.search(field + r":\s+(\d+) kB", status.read()).group(1)) * 1024


@contextlib.contextmanager
def part(name):
    """Measures a block: NAME_seconds, NAME_cpu_seconds and memory at its start."""
    _figures.setdefault("start_rss_bytes", status_bytes("VmRSS"))
    wall, cpu = time.perf_counter(), processor_seconds()
    yield
    _figures[name + "_seconds"] = _figures.get(name + "_seconds", 0) + time.perf_counter() - wall
    _figures[name + "_cpu_seconds"] = _figures.get(name + "_cpu_seconds", 0) + processor_seconds() - cpu


def _run_call(name, text):
    module = sys.modules["__main__"]
    _figures.update(getattr(module, name)(*json.loads(text)) or {})
    _figures.setdefault("peak_rss_bytes", status_bytes("VmHWM"))
    print(json.dumps(_figures))


def main(function):
    """Runs the benchmark, or, in a child of ours, one contender's function."""
    if len(sys.argv) > 3 and sys.argv[1] == "--call":
        _run_call(sys.argv[2], sys.argv[3])
    else:
        function()


# ---- contenders ------------------------------------------------------------------------------------

def python():
    named = os.environ.get("CLARY_BENCH_PYTHON")
    own = os.path.join(BUILD, "venv-bench", "bin", "python")
    return named or (own if os.path.exists(own) else sys.executable)


def call(function, *arguments):
    """The command that runs a function of the benchmark's script in a process of its own."""
    return [python(), os.path.abspath(sys.argv[0]), "--call", function.__name__, json.dumps(arguments)]


def program(name):
    """A program that the build made: program("src/main/clary")."""
    return os.path.join(BUILD, name)


def clary(*words):
    return [program("src/main/clary"), *[str(word) for word in words]]


def megabytes(path):
    return os.path.getsize(path) / 1e6


def data(kind, **options):
    """Makes (once) and returns the files of a data set: {file name: path}."""
    name = "-".join([kind] + ["%s%s" % item for item in sorted(options.items())])
    folder = os.path.join(DATA, name)
    if not os.path.isdir(folder):
        words = [python(), os.path.join(ROOT, "bench", "data.py"), kind, folder + ".part"]
        subprocess.run(["rm", "-rf", folder + ".part"], check=True)
        os.makedirs(folder + ".part")
        subprocess.run(words + ["%s=%s" % item for item in sorted(options.items())], check=True)
        os.rename(folder + ".part", folder)
    return {file: os.path.join(folder, file) for file in sorted(os.listdir(folder))}


def run(words, threads, limit_seconds):
    """Runs a command; returns its figures, or {"failed": reason}."""
    environment = dict(os.environ, OMP_WAIT_POLICY="PASSIVE")
    environment.pop("OPENBLAS_CORETYPE", None)  # slows a current numpy
    environment.pop("OPENBLAS_L2_SIZE", None)
    if threads:
        environment.update({name: str(threads) for name in THREAD_VARIABLES})
    os.makedirs(RESULTS, exist_ok=True)
    with open(os.path.join(RESULTS, "output"), "w+b") as output:
        start = time.perf_counter()
        try:
            child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output,
                                     stderr=subprocess.STDOUT, env=environment, cwd=ROOT)
        except OSError as problem:
            return {"failed": str(problem)}
        ended = subprocess.Popen(["sh", "-c", "sleep %d; kill %d" % (limit_seconds, child.pid)],
                                 stderr=subprocess.DEVNULL, start_new_session=True)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(ended.pid, 15)
        ended.wait()
        output.seek(0)
        lines = output.read().decode("utf-8", "replace").strip().splitlines()
    if child.returncode != 0:
        return {"failed": "exit %d: %s" % (child.returncode, lines[-1] if lines else "no output")}
    figures = {}
    for line in reversed(lines):
        if line.startswith("{"):
            with contextlib.suppress(ValueError):
                figures = json.loads(line)
                break
    figures.update(process_seconds=wall, process_cpu_seconds=usage.ru_utime + usage.ru_stime)
    figures.setdefault("peak_rss_bytes", usage.ru_maxrss * 1024)
    return figures


# ---- a benchmark -----------------------------------------------------------------------------------

def number(value):
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return "%.*f" % (max(0, 3 - len(str(int(abs(value))))), value) if abs(value) >= 1 else "%.3g" % value
    return "%.3g" % value


def processor_name():
    with open("/proc/cpuinfo") as text:
        found = re.search(r"model name\s*:\s*(.*)", text.read())
    return found.group(1).strip() if found else platform.machine()


class Bench:
    def __init__(self, name, title):
        self.name, self.title, self.tables = name, title, []
        self.rounds = int(os.environ.get("CLARY_BENCH_ROUNDS", "5"))
        print("%s: %s (%d rounds, %d processors, load %.1f)" % (
            name, title, self.rounds, os.cpu_count(), os.getloadavg()[0]), flush=True)

    def compare(self, title, contenders, part=None, by="cpu", threads=1, amount=None, unit="", figures=(),
                rounds=None, limit_seconds=900):
        """Runs the contenders in turn and prints a table; returns {contender: row}.

        amount and unit turn the time into a rate (amount/s); figures are names of reported figures
        to show in columns of their own ("auc", "rows")."""
        key = (part or "process") + ("_seconds" if by == "wall" else "_cpu_seconds")
        results = {name: [] for name in contenders}
        for _ in range(rounds or self.rounds):
            for name, words in contenders.items():
                if not any("failed" in result for result in results[name]):
                    results[name].append(run([str(word) for word in words], threads, limit_seconds))
        first = results[next(iter(contenders))]
        rows = {}
        for name, runs in results.items():
            failed = [result["failed"] for result in runs if "failed" in result]
            if not failed and any(key not in result for result in runs):
                failed = ["it reports no '%s'" % key]
            if failed:
                rows[name] = {"failed": failed[-1]}
                continue
            times = [result[key] for result in runs]
            row = {"seconds": statistics.median(times), "best": min(times), "worst": max(times),
                   "wall": statistics.median(result.get((part or "process") + "_seconds", 0) for result in runs),
                   "rate": amount / statistics.median(times) if amount and statistics.median(times) else None,
                   "peak_mib": statistics.median(result["peak_rss_bytes"] for result in runs) / MIB,
                   "figures": {figure: runs[-1].get(figure) for figure in figures}}
            pairs = [(theirs[key], ours[key]) for theirs, ours in zip(runs, first)
                     if key in ours and ours[key] > 0]
            row["ratio"] = statistics.median(a / b for a, b in pairs) if pairs else None
            start = [result["start_rss_bytes"] for result in runs if "start_rss_bytes" in result]
            if start:
                row["start_mib"] = statistics.median(start) / MIB
            rows[name] = row
        table = {"title": title, "part": part, "by": by, "threads": threads, "unit": unit,
                 "rounds": rounds or self.rounds, "figures": list(figures), "rows": rows,
                 "load": os.getloadavg()[0]}
        self.tables.append(table)
        print("\n" + "\n".join(table_lines(table)), flush=True)
        return rows

    def note(self, text):
        """A sentence below the last table."""
        self.tables[-1].setdefault("notes", []).append(text)
        print(text, flush=True)

    def end(self):
        os.makedirs(RESULTS, exist_ok=True)
        record = {"name": self.name, "title": self.title, "tables": self.tables,
                  "date": datetime.date.today().isoformat(), "processor": processor_name(),
                  "processors": os.cpu_count(), "python": python_versions()}
        with open(os.path.join(RESULTS, self.name + ".json"), "w") as file:
            json.dump(record, file, indent=1)


def python_versions():
    """Versions of the peers that are installed."""
    script = ("import importlib.metadata as m, json, sys\n"
              "names = 'xgboost xgboost-cpu lightgbm scikit-learn numpy pandas polars duckdb pyarrow "
              "faiss-cpu'.split()\nfound = {}\n"
              "for name in names:\n"
              "    try: found[name] = m.version(name)\n"
              "    except Exception: pass\n"
              "print(json.dumps(found))")
    done = subprocess.run([python(), "-c", script], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def table_lines(table):
    """A Markdown table of one comparison; a benchmark may bring its own lines."""
    if "lines" in table:
        return table["lines"] + [""]
    what = "wall" if table["by"] == "wall" else "processor"
    threads = table["threads"]
    title = "**%s**" % table["title"]
    if threads:
        title += ", %d thread%s" % (threads, "s" if threads > 1 else "")
    heads = ["", "%s s" % what, "range", "wall s"]
    if table["unit"]:
        heads.append(table["unit"] + "/s")
    heads += ["peak MiB", *table["figures"], "ratio"]
    lines = [title, "", "| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    for name, row in table["rows"].items():
        if "failed" in row:
            lines.append("| %s | failed: %s |" % (name, row["failed"]) + " |" * (len(heads) - 2))
            continue
        cells = [name, number(row["seconds"]), "%s–%s" % (number(row["best"]), number(row["worst"])),
                 number(row["wall"])]
        if table["unit"]:
            cells.append(number(row["rate"]))
        cells.append(number(row["peak_mib"]) + (" (%s at start)" % number(row["start_mib"])
                                                if "start_mib" in row else ""))
        for figure in table["figures"]:
            value = row["figures"].get(figure)
            cells.append("%.6g" % value if isinstance(value, (int, float)) else str(value or "–"))
        cells.append("%.2f×" % row["ratio"] if row["ratio"] else "–")
        lines.append("| " + " | ".join(cells) + " |")
    return lines + [""] + ["%s\n" % note for note in table.get("notes", [])]


# ---- the page ---------------------------------------------------------------------------------------

HEAD = """# Benchmarks

Made by `make bench SAVE=1`. Every figure is the median of several rounds in which the contenders ran
in turn, each in a process of its own; the ratio is the median of the rounds' own ratios, over the
first row. Processor time is user + system. Compare ratios: the seconds belong to one machine.
"""


def page(old):
    """doc/benchmarks.md with the sections of the results at hand replaced."""
    sections = dict(re.findall(r"(?s)<!-- (\w+) -->\n(.*?)<!-- end -->\n", old))
    for file in sorted(os.listdir(RESULTS)) if os.path.isdir(RESULTS) else []:
        if not file.endswith(".json"):
            continue
        with open(os.path.join(RESULTS, file)) as text:
            record = json.load(text)
        peers = ", ".join("%s %s" % item for item in record["python"].items())
        lines = ["## " + record["title"], "", "%s, %s, %d processors%s." % (
            record["date"], record["processor"], record["processors"],
            "; peers: " + peers if peers else ""), ""]
        for table in record["tables"]:
            lines += table_lines(table)
        sections[record["name"]] = "\n".join(lines).rstrip() + "\n"
    return HEAD + "".join("\n<!-- %s -->\n%s<!-- end -->\n" % item for item in sorted(sections.items()))


if __name__ == "__main__":
    destination = sys.argv[1]
    before = ""
    if os.path.exists(destination):
        with open(destination) as text:
            before = text.read()
    after = page(before)
    with open(destination, "w") as text:
        text.write(after)
