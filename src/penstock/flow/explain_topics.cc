// The catalogue itself, by id. See explain.h.
#include <array>

#include "penstock/flow/explain.h"

namespace penstock::flow {
namespace {

constexpr auto kTopics = std::to_array<ErrorTopic>({
    {"PS0001", "YAML syntax error",
     "The text is not well-formed YAML. Reading stops at the first such place, so there may be "
     "more "
     "problems behind it. Most come from indentation, a tab, a missing quote, or text that "
     "contains ': ' or starts with a mark such as '@', '*' or '&' and has no quotes.",
     "description: late: more than 15 minutes", "description: \"late: more than 15 minutes\""},
    {"PS0002", "Text is not UTF-8",
     "A tube file is UTF-8 text, with or without a byte order mark. The place shown is the first "
     "byte that is not.",
     "a file saved as Latin-1 or UTF-16", "iconv -f LATIN1 -t UTF-8 tube.yaml > fixed.yaml"},
    {"PS0003", "Binary file",
     "The file is not text. A tube file describes a pipeline; data files are named in its inputs.",
     "penstock run flights.parquet", "penstock run flights.yaml --input flights=flights.parquet"},
    {"PS0004", "Tube file cannot be read",
     "There is no file of this name, it is a folder, or its permissions forbid reading.", "", ""},
    {"PS0005", "Nesting too deep",
     "Lists and maps may be nested to 256 levels, counted after aliases are expanded. The limit "
     "protects every later step, which walks the value recursively.",
     "", ""},
    {"PS0006", "Aliases expand to too much",
     "A few aliases to aliases can stand for billions of values. A file may use 10,000 aliases "
     "that stand for at most 1,000,000 values. Plain text has no such limit.",
     "", "write large data into a file of its own and read it with an operator"},
    {"PS0007", "Unknown alias",
     "An alias '*name' repeats the value that an anchor '&name' marked earlier in the same file. "
     "It "
     "cannot stand before its anchor or inside it.",
     "params: *defaults", "params: &defaults {n: 3}\n# later\nparams: *defaults"},
    {"PS0008", "Duplicate key", "A map has each key once. Two nodes cannot have the same id.",
     "nodes:\n  a: {type: sum}\n  a: {type: max}", "nodes:\n  a: {type: sum}\n  b: {type: max}"},
    {"PS0009", "Key is not text",
     "Keys are text. Numbers, true, false and null are keys only in quotes; lists and maps never.",
     "params: {limits: {1: low}}", "params: {limits: {\"1\": low}}"},
    {"PS0010", "Tag not supported",
     "YAML tags such as !!python/object name types of other programs. None is supported; values "
     "are what the YAML 1.2 core schema says, and text in quotes is text.",
     "n: !!str 5", "n: \"5\""},
    {"PS0011", "More than one document",
     "A file holds one tube. A line '---' starts another document.", "nodes: {}\n---\nnodes: {}",
     "nodes: {}"},
    {"PS0012", "Not a tube",
     "A tube is a map with the keys nodes, input, assets, extends, description and the noob_ "
     "header.",
     "- type: sum", "nodes:\n  total:\n    type: sum"},
    {"PS0013", "Unknown key",
     "The format refuses keys it does not know, so that a typing slip is not silently ignored.",
     "nodes:\n  a: {type: sum, dependss: b.value}", "nodes:\n  a: {type: sum, depends: b.value}"},
    {"PS0014", "Wrong kind of value", "The key takes another kind of value than the one written.",
     "params: [1, 2]", "params: {first: 1, second: 2}"},
    {"PS0015", "Bad identifier",
     "Ids of nodes, inputs and assets and names of slots are Python identifiers: letters, digits "
     "and '_', not starting with a digit. assets, input, meta and tube are reserved. A key 'id', "
     "if "
     "written, repeats the key of the map.",
     "nodes:\n  2nd-step: {type: sum}", "nodes:\n  second_step: {type: sum}"},
    {"PS0016", "Malformed reference",
     "A dependency names exactly one signal of one node, as 'node.signal'. A node without named "
     "signals has the signal 'value'. Inputs are 'input.name'.",
     "depends: count", "depends: count.value"},
    {"PS0017", "Malformed depends",
     "depends is one reference, or a list of references and of maps with one key each, slot to "
     "reference.",
     "depends:\n  left: a.value\n  right: b.value",
     "depends:\n  - left: a.value\n  - right: b.value"},
    {"PS0018", "Missing key", "A node and an input need 'type'; an asset needs 'type' and 'scope'.",
     "nodes:\n  a: {depends: b.value}", "nodes:\n  a: {type: sum, depends: b.value}"},
    {"PS0019", "Text too large", "A tube file may have 256 MiB.", "", ""},
    {"PS0020", "Bad noob_id", "noob_id is made of letters, digits, '_', '-', '/' and '#'.",
     "noob_id: flights.monthly", "noob_id: flights/monthly"},
    {"PS0021", "Bad value of enabled",
     "enabled is true, false, or input.<name> of a tube-scoped input.", "enabled: late",
     "enabled: input.late"},
    {"PS0022", "Bad policy",
     "timeout is a number of seconds or a text such as '30s'; timeout_ms an int above 0; cache "
     "true "
     "or false.",
     "timeout: 30 seconds", "timeout: 30s"},
    {"PS0023", "Bad scope",
     "An input has scope tube or process; an asset runner, process or node. An asset that depends "
     "on a signal has scope runner.",
     "input:\n  x: {type: int, scope: runner}", "input:\n  x: {type: int, scope: process}"},
    {"PS0024", "Bad merge key", "The merge key '<<' takes a map or a list of maps.", "<<: 5",
     "<<: *defaults"},
    {"PS0025", "Malformed type",
     "type is map, gather, return, tube, an operator's name such as table.read, the name of a "
     "Python builtin, or 'package.module.object'. Relative names are refused.",
     "type: .steps.load", "type: my_package.steps.load"},
    {"PS0026", "Plot that cannot be drawn",
     "report is a list of plots. Each has a kind and the keys of that kind; data is a path into "
     "the "
     "result of the tube, and columns are those of the table there. The kinds and their keys are "
     "in "
     "docs/formats/run-record.md.",
     "report:\n  - {kind: pie, data: routes}",
     "report:\n  - {kind: bar, data: result.routes, x: month, y: flights}"},
    {"PS0030", "Python syntax error",
     "A file of plain functions is Python source, and Python cannot read it. The message is "
     "Python's own.",
     "def total(rows)\n    return sum(rows)", "def total(rows):\n    return sum(rows)"},
    {"PS0031", "No functions in the file",
     "Each function at the top level of a Python file is a node, unless its name starts with '_'. "
     "This file has none.",
     "print(1)", "def one():\n    return 1"},
    {"PS0032", "Function that cannot be a node",
     "In a file of plain functions each parameter is fed by the function or the input of its name; "
     "so *args, **kwargs and positional-only parameters have no source. A generator is a source: "
     "its parameters are inputs only.",
     "def total(*rows): ...", "def total(rows): ..."},
    {"PS0033", "Input with two defaults",
     "A parameter that no function is named after is an input, one for all functions that take it. "
     "Its default can be written once, or alike everywhere.",
     "def a(size=1): ...\ndef b(size=2): ...", "def a(size=1): ...\ndef b(size): ..."},
    {"PS0034", "Running the file failed",
     "A file of plain functions is run once when it is loaded, as an import does, and raised.",
     "import nmupy", "import numpy"},
    {"PS0035", "Tube without noob_id",
     "noob's tubes have an id, so penstock.compat.noob wants one of every tube that is run. "
     "penstock.Tube does not.",
     "nodes:\n  a: {type: my.steps.load}", "noob_id: load\nnodes:\n  a: {type: my.steps.load}"},
    {"PS0101", "Unknown node", "depends names a node that the tube does not have.",
     "depends: contur.value", "depends: counter.value"},
    {"PS0102", "Unknown signal",
     "depends names a signal that the node does not have. A function's signals come from its "
     "return annotation (Annotated[int, Name(\"index\")]); without one the signal is 'value'.",
     "depends: count.vlaue", "depends: count.value"},
    {"PS0103", "Unknown slot",
     "The node's type has no input of this name. A Python function's slots are its parameters.",
     "depends:\n  - lft: a.value", "depends:\n  - left: a.value"},
    {"PS0104", "Duplicate slot", "Each slot takes one signal.",
     "depends:\n  - x: a.value\n  - x: b.value", "depends:\n  - x: a.value\n  - y: b.value"},
    {"PS0105", "Cycle",
     "The nodes of a tube form a graph without cycles. The message names the nodes in order.",
     "nodes:\n  a: {type: sum, depends: b.value}\n  b: {type: sum, depends: a.value}",
     "break the cycle; a value for the next epoch lives in a stateful node"},
    {"PS0106", "Dependency across maps",
     "A node runs once per element of the maps it lies below. It cannot lie below two maps of "
     "which neither lies below the other. The same holds for trigger and n of a gather. Maps may "
     "be "
     "nested to 32.",
     "depends: [map_a.value, map_b.value]", "depends: [gather_a.value, map_b.value]"},
    {"PS0107", "More than one return", "A tube has at most one node of type return.",
     "nodes:\n  r: {type: return, depends: a.value}\n  s: {type: return, depends: b.value}",
     "nodes:\n  r: {type: return, depends: [r: a.value, s: b.value]}"},
    {"PS0108", "Unknown input", "The tube declares no input of this name under the key 'input'.",
     "depends: input.mnth", "input:\n  month: {type: int, scope: process}"},
    {"PS0110", "Gather needs n or trigger",
     "Below a map a gather emits when all elements are done. Outside any map it collects across "
     "epochs, and needs n or trigger to know when to emit.",
     "g: {type: gather, depends: [value: a.value]}",
     "g: {type: gather, depends: [value: a.value], params: {n: 10}}"},
    {"PS0111", "Gather with both n and trigger", "A gather emits by n or by trigger, not both.", "",
     ""},
    {"PS0112", "Missing slot", "A required input of the node is not in its depends.",
     "type: operator.mul\ndepends: [a.value]", "type: operator.mul\ndepends: [a.value, b.value]"},
    {"PS0113", "Too many positional arguments",
     "depends has more references without a slot than the type takes.",
     "type: operator.neg\ndepends: [a.value, b.value]", "type: operator.neg\ndepends: a.value"},
    {"PS0115", "Tube not found",
     "extends and nested tubes name a file (it ends in .yaml or .yml; relative to the file that "
     "names "
     "it) or the noob_id of a tube in a config source.",
     "extends: [base.yml]", "extends: [base.yaml]"},
    {"PS0116", "Types do not go together",
     "The two sides of a connection both state a plain type (int, str, list, numpy.ndarray, ...), "
     "and "
     "none can be taken for the other; or both state a unit, and the units differ. An int is a "
     "float, "
     "a bool is an int, lists and tuples stand for each other; whatever is not plainly stated "
     "fits.",
     "def count() -> str: ...\ndef twice(count: int): ...",
     "def count() -> int: ...\ndef twice(count: int): ..."},
    {"PS0117", "Tubes in a circle",
     "A tube extends or contains itself, perhaps by way of others, or tubes are nested deeper than "
     "32.",
     "# a.yaml\nextends: [a.yaml]", "# a.yaml\nextends: [base.yaml]"},
    {"PS0118", "Unknown asset", "depends names an asset that the tube does not have.",
     "depends: [book: assets.bok]", "depends: [book: assets.book]"},
    {"PS0119", "Asset of scope node outside a call",
     "An asset of scope node is made for each call of a node; map, gather, return and nested tubes "
     "call nothing.",
     "scope: node", "scope: process"},
    {"PS0120", "Asset used beside its update",
     "The node that updates an asset must be the last to use it in an epoch; what runs beside or "
     "behind it takes the object from its signal.",
     "depends: [book: assets.book]", "depends: [book: update.book]"},
    {"PS0121", "Two tubes with one noob_id",
     "Two files under one config source have the same noob_id, so it names neither.", "", ""},
    {"PS0122", "Unknown key of a policy",
     "retry has the keys attempts, backoff_ms, max_ms, jitter and on; resources has cpu, io and "
     "memory; where has tags.",
     "retry: {attempts: 3, backof_ms: 50}", "retry: {attempts: 3, backoff_ms: 50}"},
    {"PS0123", "Bad value in retry",
     "retry is how often a call is made in all while it fails, the first time counted: an int from "
     "1, "
     "or a map with attempts (the same), backoff_ms and max_ms (ints from 0), jitter (a number "
     "from "
     "0 to 1) and on (a name or a list of names).",
     "retry: 0", "retry: 3"},
    {"PS0124", "Neither an error code nor an exception",
     "on of retry lists what is tried again: error codes (deadline_exceeded, unavailable, ...) and "
     "names of exceptions, with or without their module (ConnectionError, socket.timeout). A name "
     "without a capital letter and without a dot is taken for a code.",
     "retry: {attempts: 3, on: [unavailble]}", "retry: {attempts: 3, on: [unavailable]}"},
    {"PS0125", "Bad value in resources",
     "cpu is a number of cores, io a whole number of slots, memory a whole number of bytes or a "
     "text "
     "such as 512MB or 2GiB.",
     "resources: {memory: 2 gigs}", "resources: {memory: 2GiB}"},
    {"PS0126", "Bad value of where",
     "where is a tag, a list of tags, or a map with the key tags. A tag is text without spaces and "
     "commas; a place must have all of them.",
     "where: 3", "where: [gpu, lab-3]"},
    {"PS0127", "Policy on a node that cannot have it",
     "map, gather, return and nested tubes call nothing, so there is nothing to try again, to end "
     "or "
     "to place. A source that has raised is at its end, so it cannot be called again.",
     "rows: {type: my.generator, retry: 3}",
     "names: {type: my.generator}\nrows: {type: my.fetch, depends: names.value, retry: 3}"},
    {"PS0128", "Timeout beside a shared asset",
     "A node that uses an asset of scope runner or process runs in the run's own process, where a "
     "Python function cannot be ended. A coroutine can, at its next await.",
     "def fetch(session): ...", "async def fetch(session): ..."},
    {"PS0130", "Results that cannot be kept",
     "A node with `cache: true` has results that follow from more than its inputs: it keeps state, "
     "is a source, uses an asset, or is given the epoch. Used again, they would be wrong.",
     "counter: {type: mine.Counter, cache: true}",
     "counter: {type: mine.Counter}\n# cache: true on the stateless nodes before and after it"},
    {"PS0131", "What a node computes cannot be told",
     "A node keeps its results, but its code or a parameter cannot be read or encoded, so nobody "
     "could tell when they are out of date.",
     "", ""},
    {"PS0201", "Unknown type",
     "type names no operator, builtin or Python object that can be found.", "type: table.raed",
     "type: table.read\n# penstock ops list"},
    {"PS0202", "Unknown parameter", "The type has no parameter of this name.",
     "params: {pth: x.csv}", "params: {path: x.csv}\n# penstock ops describe table.read"},
    {"PS0203", "Missing parameter", "A parameter without a default is not given.", "", ""},
    {"PS0204", "Parameter of the wrong type",
     "The value of a parameter has another type than the operator declares. Numbers in quotes are "
     "text.",
     "params: {columns: date}", "params: {columns: [date]}"},
    {"PS0205", "Parameter is not one of its choices", "The parameter takes one of a few texts.", "",
     "penstock ops describe NAME"},
    {"PS0206", "Type cannot be imported",
     "The Python module of the type, or the object in it, cannot be imported. The message of "
     "Python "
     "follows. A type is a module path, a dot, and one name: methods of classes are not found.",
     "type: my_package.stpes.load", "type: my_package.steps.load"},
    {"PS0207", "Operator pack cannot be loaded",
     "Operators such as table.read live in a library of their own, loaded on first use. It is not "
     "installed, or one of the libraries it needs is missing.",
     "type: table.read", "pip install 'penstock[table]'"},
    {"PS0208", "Parameters the operator cannot work with",
     "Each parameter has its declared type, and the operator still refuses them: a query that does "
     "not "
     "parse, a name in it that is no input. The message says what.",
     "params: {query: 'SELECT 1 WHERE x = $limit'}",
     "depends: [limit: input.limit]\nparams: {query: 'SELECT 1 WHERE x = $limit'}"},
    {"PS0221", "Asynchronous generator",
     "A coroutine, a function, a generator or a class can be a node; an asynchronous generator "
     "cannot, because nothing says when its next item is to be asked for.",
     "async def ticks():\n    while True:\n        yield await queue.get()",
     "class Ticks:\n    async def process(self):\n        return await queue.get()"},
    {"PS0301", "Missing input", "A required input without a default was not given.",
     "penstock run tube.yaml", "penstock run tube.yaml --input month=3"},
    {"PS0302", "Process input in params",
     "Parameters are fixed when the tube is loaded, so they take tube-scoped inputs. A value given "
     "for each epoch comes through depends.",
     "params: {day: input.day}  # day has scope process", "depends:\n  - day: input.day"},
    {"PS0401", "Node raised",
     "The code of a node raised. The trace begins with the user's own frame. The epoch is closed "
     "and the runner stays usable.",
     "", ""},
    {"PS0402", "Wrong number of outputs",
     "A node with several signals must give a sequence with one member for each.",
     "def f() -> tuple[Annotated[int, Name(\"a\")], Annotated[int, Name(\"b\")]]:\n    return 1, "
     "2, 3",
     "    return 1, 2"},
    {"PS0403", "Value cannot be encoded",
     "A value must be encoded for its content address, for another process or for a native "
     "operator, and its type has no encoding. Supported: None, bool, int, float, str, bytes, list, "
     "tuple, dict with text keys, arrays and tables.",
     "return object()", "return {\"name\": obj.name}"},
    {"PS0404", "Map wants a list", "The input of a map must be a list or a tuple.",
     "return (x for x in rows)", "return [x for x in rows]"},
    {"PS0405", "No progress",
     "Nothing can run and the epoch is not done. The message names the nodes that wait. This is an "
     "error of the engine: please report it with the tube.",
     "", ""},
    {"PS0411", "Node could not be initialised",
     "The init() of a node raised, so the run did not begin. Nodes that were initialised before it "
     "have been deinitialised again, in reverse order. Other errors of a node have other ids.",
     "", ""},
    {"PS0412", "Node could not be deinitialised",
     "The deinit() of a node raised. The other nodes have been deinitialised and the run has "
     "ended; "
     "its results are good.",
     "", ""},
    {"PS0413", "Node took too long",
     "A call went on for longer than the timeout_ms of its node. It was ended, or its value came "
     "too "
     "late and was dropped. With retry it is tried again.",
     "", "timeout_ms: 60000\nretry: {attempts: 3, on: deadline_exceeded}"},
    {"PS0414", "Timeout that this runner cannot keep",
     "A Python function can be ended at its timeout only with the process it runs in. The "
     "processes "
     "runner does so for every node; the others give the node a process of its own, which is not "
     "possible for one that remembers something or has init and deinit.",
     "--runner threads", "--runner processes"},
    {"PS0415", "More resources than there are",
     "A node asks for more cpu, io or memory than the run has, so its turn would never come. What "
     "the "
     "run has is said by the caller, or is the machine's.",
     "resources: {cpu: 64}", "penstock run tube.yaml --resource cpu=64"},
    {"PS0416", "No place with the tags of a node",
     "where lists tags that the place a node runs at must have. A local runner is one place, with "
     "the "
     "tag local unless it is given others.",
     "where: gpu", "penstock run tube.yaml --tag local --tag gpu"},
    {"PS0420", "Results cannot be kept",
     "The folder of kept results cannot be written, is full, or a result is larger than half of "
     "it. The run goes on; what was not kept is computed again.",
     "", "penstock cache prune --max-bytes 500000000\nPENSTOCK_CACHE=off penstock run FILE"},
    {"PS0421", "No such node or run in the history",
     "`penstock why` looks at recorded runs. None has a node of this name, or a call of it to "
     "compare with.",
     "", "penstock history"},
    {"PS0422", "One node cannot run alone",
     "`--only NODE --inputs-from RUN` gives the node the inputs it had in that run: what nodes "
     "before it kept there. One of them kept nothing, or it is gone.",
     "clean: {type: mine.clean, depends: raw.value}",
     "clean: {type: mine.clean, depends: raw.value, cache: true}"},
    {"PS0425", "Not one kept result",
     "`penstock cache rm` wants the beginning of one key, a node that has results, or --all.",
     "penstock cache rm",
     "penstock cache rm 3fa9\npenstock cache rm --node routes\npenstock cache "
     "rm --all"},
    {"PS0426", "Damaged results",
     "Files of kept results do not fit their digests: the disk, a crash or another program has "
     "changed them. They are never used; what they held is computed again.",
     "", "penstock cache prune"},
    {"PS0430", "Node switched while the runner runs",
     "enable_node() and disable_node() hold from the next epoch on, so they wait for none to be "
     "open: not during process() or run(), not from a node, its init() or a callback.",
     "runner.add_callback(lambda event: runner.disable_node(\"blur\"))",
     "runner.process()\nrunner.disable_node(\"blur\")"},
    {"PS0431", "Unknown node to switch",
     "enable_node() and disable_node() take the id of a node of the tube, or \"outer.inner\" for a "
     "node of a nested tube. input and assets are no nodes.",
     "runner.disable_node(\"blurr\")", "runner.disable_node(\"blur\")"},
    {"PS0432", "Object of the program cannot enter a worker",
     "A tube names functions or classes of the program itself (__main__). They are sent to worker "
     "processes by value, with the globals they use; one of those cannot be sent, and there is no "
     "script from which a worker could make it.",
     "lock = threading.Lock()\ndef node(x):\n    with lock: ...",
     "put the node into a module and name it as MODULE.NAME"},
    {"PS0433", "Script without a guard",
     "A worker process had to run the program's script, because what its functions use could not "
     "be "
     "sent, and the script began to run a tube again.",
     "ps.run(tube, runner=\"processes\")",
     "if __name__ == \"__main__\":\n    ps.run(tube, runner=\"processes\")"},
    {"PS0440", "Out of memory",
     "The system had no memory for a step of ours or of a node. What was being done is undone: "
     "nothing half made is kept, in memory or on disk. A node that fails so is one failed node; a "
     "load or a run that fails so can be made again when there is memory.",
     "a value of 100 GB on a machine of 16", "ulimit -v; penstock run --resource memory=8GB"},
    {"PS0441", "Runner that ran out of memory",
     "A step of the runner's own, not of a node, had no memory (PS0440), so its bookkeeping of the "
     "open epochs is not whole. It can be ended, which stops its nodes, and nothing else.",
     "runner.process()\nrunner.process()", "runner.deinit()\nrunner = ps.SynchronousRunner(tube)"},
    {"PS0443", "Output cannot be written",
     "What the command prints did not all arrive: the disk is full, or the reader is gone.",
     "penstock run tube.yaml --json > /full/disk/results.jsonl", ""},
    {"PS0445", "Runner of another process",
     "fork() copies a process without its threads, and the copy has no share in its workers. A "
     "runner that is open on threads or in worker processes, or that has run coroutines, belongs "
     "to "
     "the process that opened it. In the copy deinit() and the end of a with block do nothing, and "
     "every other use is this error.",
     "runner = ps.ThreadedRunner(tube).__enter__()\nif os.fork() == 0:\n    runner.process()",
     "if os.fork() == 0:\n    with ps.ThreadedRunner(tube) as runner:\n        runner.process()"},
    {"PS0460", "No buffer left",
     "A BufferPool with a bound (max_out) has lent out as many buffers as it may. A buffer that "
     "was "
     "released and that somebody else still looks at, a slice or a numpy array, counts: its memory "
     "cannot be used again before that is gone.",
     "pool = BufferPool(1024, 4, max_out=1)\npool.acquire()\npool.acquire()",
     "view = pool.acquire()\npool.release(view)\nview = pool.acquire()"},
    {"PS0461", "Not a buffer of this pool",
     "A BufferPool takes back the very memoryview that its acquire() returned: not a part of it, "
     "not "
     "another view of the same memory, not one of another pool.",
     "pool.release(view[:100])", "pool.release(view)"},
    {"PS0462", "Buffer released twice",
     "The memoryview was released before, by release() of the pool, at the end of the with "
     "statement "
     "it was lent for, or by its own release(). Its memory may be with somebody else by now.",
     "pool.release(view)\npool.release(view)", "with pool.lend() as view:\n    ..."},
    {"PS0463", "Node not to be completed now",
     "A Scheduler was told that a node is done which is done already, or which still waits for "
     "another. Each node is completed once, after all that it waits for.",
     "scheduler = Scheduler({\"b\": [\"a\"]})\nscheduler.mark_done(\"b\")",
     "scheduler.mark_done(\"a\")\nscheduler.mark_done(\"b\")"},
    {"PS0464", "Node not in the graph",
     "A Scheduler was told that a node is done which its graph does not have. Nodes are found by "
     "their hash and equality; a list stands for the nodes in it.",
     "Scheduler({\"b\": [\"a\"]}).mark_done(\"c\")", ""},
    {"PS0465", "Graph with a cycle",
     "Nodes of the graph given to a Scheduler wait for each other, so none of them can ever run. "
     "The "
     "message names them in the order of the edges.",
     "Scheduler({\"b\": [\"a\"], \"a\": [\"b\"]})", "Scheduler({\"b\": [\"a\"], \"a\": []})"},
    {"PS0470", "Unknown backend",
     "A backend is what does the work: the native code, its twin in plain Python, or the one that "
     "is there.",
     "PENSTOCK_BACKEND=fast", "PENSTOCK_BACKEND=auto"},
    {"PS0471", "Native code is not there",
     "The native code was asked for, by PENSTOCK_BACKEND=native or strict=True, and the extension "
     "penstock._core is missing, damaged or of another Python. The message says what the "
     "interpreter "
     "saw.",
     "", "pip install --force-reinstall penstock"},
    {"PS0472", "No pure-Python twin",
     "The reference backend does not have this operation. Loading YAML, worker processes, threads, "
     "policies, kept results, history and reports are native only.",
     "PENSTOCK_BACKEND=reference python job.py", "PENSTOCK_BACKEND=auto python job.py"},
    {"PS0473", "Another backend does the work",
     "What was wanted is not there, so the other backend does the work. Answers are the same, "
     "times "
     "are not. Said once in the life of a process; strict=True makes it an error.",
     "", "penstock doctor"},
    {"PS0480", "Event store of another process",
     "fork() copied a process that has an event store with a log, or one that another thread was "
     "in "
     "the middle of a call on. The log belongs to the process that opened it, and what that thread "
     "held is never let go of in the copy.",
     "store = EventStore(path='events')\nif os.fork() == 0:\n    store.add_event('a', 'value', 0, "
     "1)",
     "if os.fork() == 0:\n    store = EventStore(path='events-of-the-child')"},
    {"PS0481", "Event log cannot be written",
     "A flush of an event store failed: the disk is full, or broken. What was written is uncertain "
     "then, so the store takes nothing more; its log ends with the last good flush.",
     "", "make room, then open the store again"},
    {"PS0482", "Event log is damaged",
     "A file of an event log is not what was written. The end of the newest file may be cut short "
     "by a crash, which is no damage; anything else is an error and nothing of it is used.",
     "", "restore the file from a copy, or move the log away"},
    {"PS0483", "Event log has a writer",
     "Another event store, of this process or another one, writes the log in this folder.",
     "first = EventStore(path='events')\nsecond = EventStore(path='events')",
     "second = EventStore(path='events', read_only=True)"},
    {"PS0501", "Worker died",
     "A worker process ended while it ran a node, by a signal or by exit(), more often than the "
     "task "
     "may be tried again.",
     "", "run the tube with --runner sync to see the failure in one process"},
    {"PS0502", "Worker cannot start", "A worker process could not be started or did not answer.",
     "", ""},
    {"PS0503", "Task timeout",
     "A node without a timeout_ms of its own ran longer than the task_timeout of the runner "
     "allows. Its worker was stopped and replaced.",
     "", "MultiProcessRunner(tube, task_timeout=3600)"},
    {"PS0504", "Value cannot leave its process",
     "A result must go from a worker to the run and has no encoding (see PS0403).",
     "return open(\"x\")", "return open(\"x\").read()"},
    {"PS0505", "Worker has another plan",
     "A worker loads the tube again and found other code or parameters than the run has.",
     "a module edited while the run starts", ""},
    {"PS0506", "State cannot be rebuilt",
     "A worker ended, and the state of a stateful node in it can only be rebuilt by repeating the "
     "node's "
     "calls; their inputs were more than is kept (64 MiB).",
     "", "run it again, or use --runner threads for this tube"},
    {"PS0901", "Wrong usage", "The command line is not one this command takes.", "penstock run",
     "penstock run tube.yaml\n# penstock run --help"},
    {"PS0902", "Unknown runner", "The runner is none of those built in.", "--runner thread",
     "--runner threads"},
    {"PS0903", "Unknown error id", "There is no topic of this id.", "penstock explain PS9999",
     "penstock explain PS0101"},
    {"PS0904", "No Python found",
     "The tube has Python nodes, and no Python that can import penstock was found: not beside the "
     "executable, not in $VIRTUAL_ENV, not in PATH.",
     "", "activate the environment in which penstock is installed"},
    {"PS0905", "Malformed input", "An input is given as name=value. The value is read as YAML.",
     "--input month", "--input month=3"},
    {"PS0906", "Unknown operator", "The registry has no operator of this name.", "", ""},
    {"PS0907", "Nothing recorded under this name",
     "show takes the id of a run or the address of a result, or the first characters of either.",
     "penstock show bafy", "penstock history"},
    {"PS0908", "History cannot be read or written",
     "The history lives in $PENSTOCK_HOME or ~/.local/share/penstock. A run whose history cannot "
     "be "
     "written goes on; it says so once.",
     "", ""},
    {"PS0909", "Output file cannot be written", "The report or picture cannot be written.", "", ""},
});

}  // namespace

std::span<const ErrorTopic> error_topics() {
  return kTopics;
}

}  // namespace penstock::flow
