"""The report page in a real browser: complete after success, failure and a kill; silent; offline."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap

import pytest

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    "--enable-logging=stderr",
    "--window-size=1280,1000",
]

NODES = """
import sys

def rows():
    print("made 4 rows </script><b>")
    return {
        "cities": [
            {"code": "A", "lon": -90.0, "lat": 40.0, "size": 10},
            {"code": "B", "lon": -80.0, "lat": 35.0, "size": 5},
            {"code": "C", "lon": 5.0, "lat": 50.0, "size": 1},
        ],
        "trips": [
            {"day": d, "from": a, "to": b, "n": 3 + d, "delay": 2.5 * d - 4}
            for d in range(4) for a, b in [("A", "B"), ("B", "A"), ("A", "C")]
        ],
        "__proto__": "<img src=x onerror=alert(1)>",
    }

def boom(rows):
    raise ValueError("no such thing as a free lunch")

def wait(rows):
    print("waiting", flush=True)
    return sys.stdin.read()
"""

TUBE = """
noob_id: cities
noob_model: noob.tube.TubeSpecification
noob_version: 1.0.0
nodes:
  rows: {type: report_nodes.rows}
  out: {type: return, depends: rows.value}
report:
  - kind: map
    title: Where
    points: {data: result.cities, lon: lon, lat: lat, size: size, label: code}
    arcs: {data: result.trips, from: from, to: to, weight: n, color: delay}
  - {kind: bar, title: By day, data: result.trips, x: day, y: delay, unit: min}
  - {kind: line, data: result.trips, x: day, y: [n, delay]}
  - {kind: scatter, data: result.trips, x: n, y: delay, series: from}
  - {kind: heat, data: result.trips, x: day, y: from, color: delay, middle: 0}
  - {kind: table, data: result.trips, group: [from, to], weight: n, columns: [from, to, n, delay], sort: -delay}
  - {kind: bar, title: Not there, data: result.trips, x: week, y: delay}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "report_nodes.py").write_text(NODES)
    (tmp_path / "cities.yaml").write_text(TUBE)
    return tmp_path


def environment(folder):
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return os.environ | {"PYTHONPATH": path, "XDG_DATA_HOME": str(folder), "XDG_STATE_HOME": str(folder), "XDG_CACHE_HOME": str(folder)}


def command(*arguments):
    return [sys.executable, "-m", "penstock", "run", *arguments, "--report", "page.html"]


def run(folder, *arguments):
    return subprocess.run(command(*arguments), cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=120)


class Page:
    """The page as Chromium sees it once its script has run."""

    def __init__(self, folder):
        assert CHROMIUM, "chromium is missing: tools/setup --tests installs it"
        netlog = folder / "net.json"
        seen = subprocess.run(
            [
                CHROMIUM,
                *FLAGS,
                f"--user-data-dir={folder / 'profile'}",
                f"--log-net-log={netlog}",
                "--dump-dom",
                (folder / "page.html").as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.dom = seen.stdout
        self.console = [line for line in seen.stderr.splitlines() if "CONSOLE" in line]
        # The page's own requests carry its origin; what else the browser asks for at start does not count.
        log = json.loads(netlog.read_text())
        self.requests = [
            event["params"]
            for event in log["events"]
            if re.match(r"(https?|wss?|ftp):", str(event.get("params", {}).get("url", "")))
            and event["params"].get("initiator") in ("null", "file://")
        ]

    def sections(self):
        """Ids of the sections that are shown."""
        return re.findall(r'<section id="(\w+)">', self.dom)

    def text(self):
        body = self.dom[self.dom.index("<main") : self.dom.index("</main>")]
        return re.sub(r"<script.*?</script>|<style.*?</style>", "", body, flags=re.DOTALL)

    def assert_clean(self):
        assert 'data-ready="yes"' in self.dom
        assert "could not be drawn" not in self.text()
        assert self.console == []
        assert self.requests == []


def status(page):
    return re.search(r'id="status">([^<]*)<', page.dom)[1]


def test_a_finished_run_has_every_section_and_every_plot(folder):
    for _ in range(2):
        done = run(folder, "cities.yaml")
        assert done.returncode == 0, done.stderr
    page = Page(folder)
    page.assert_clean()
    assert page.sections() == ["results", "pipeline", "timeline", "nodes", "logs", "addresses", "changes"]
    assert status(page) == "succeeded"
    assert re.findall(r'data-plot="(\w+)"', page.dom) == ["map", "bar", "line", "scatter", "heat", "table", "bar"]
    assert "no column 'week': there are day, from, to, n, delay" in page.text()
    cid = re.search(r"^cid: (\w+)$", done.stderr, re.MULTILINE)[1]
    assert cid in page.text()
    # Printed text is text, whatever it looks like.
    assert "made 4 rows &lt;/script&gt;&lt;b&gt;" in page.text()
    assert "<img" not in page.text()
    assert (folder / "page.html").stat().st_size < 400_000


def test_a_failed_run_shows_the_error_and_what_ran_before(folder):
    (folder / "fail.yaml").write_text(
        TUBE.replace("depends: rows.value}", "depends: boom.value}\n  boom: {type: report_nodes.boom, depends: rows.value}")
    )
    assert run(folder, "fail.yaml").returncode == 1
    page = Page(folder)
    page.assert_clean()
    assert page.sections()[:3] == ["errors", "pipeline", "timeline"]
    assert status(page) == "failed"
    assert "no such thing as a free lunch" in page.text()
    assert "made 4 rows" in page.text()


def test_a_killed_run_leaves_a_page(folder):
    (folder / "wait.yaml").write_text(
        textwrap.dedent("""
            nodes:
              rows: {type: report_nodes.rows}
              wait: {type: report_nodes.wait, depends: rows.value}
              out: {type: return, depends: wait.value}
        """)
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command("wait.yaml"), cwd=folder, env=environment(folder), text=True, **pipes) as process:
        said = next((line for line in process.stderr if "waiting" in line), "nothing")
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    assert said == "waiting\n"
    page = Page(folder)
    page.assert_clean()
    assert status(page) == "running"
    assert "pipeline" in page.sections()
    assert "No end was recorded" in page.dom


def test_a_page_cut_inside_a_record_is_drawn_up_to_there(folder):
    assert run(folder, "cities.yaml").returncode == 0
    page = folder / "page.html"
    text = page.read_text()
    page.write_text(text[: text.index('"type":"summary"') + 4])
    shown = Page(folder)
    shown.assert_clean()
    assert status(shown) == "running"
    assert "results" in shown.sections()


@pytest.mark.parametrize("runner", ["sync", "threads", "processes"])
def test_what_nodes_print_is_in_their_log_and_not_among_the_results(folder, runner):
    done = run(folder, "cities.yaml", "--runner", runner, "--json")
    assert done.returncode == 0, done.stderr
    result, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert result["value"]["cities"][0]["code"] == "A"
    assert summary["summary"]["runner"] == runner
    assert "made 4 rows </script><b>" in done.stderr
    assert "made 4 rows \\u003c/script>\\u003cb>" in (folder / "page.html").read_text()


def test_the_check_itself_sees_requests_and_console_messages(folder):
    (folder / "page.html").write_text('<main><img src="http://127.0.0.1:9/x.png"><script>nope()</script></main>')
    page = Page(folder)
    assert [request["url"] for request in page.requests] == ["http://127.0.0.1:9/x.png"]
    assert "nope is not defined" in page.console[0]
