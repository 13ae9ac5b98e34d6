"""Tube files as text: what the two read from the same letters. Each is loaded from a file and run once."""

HEAD = "noob_id: text\nnoob_model: noob.tube.TubeSpecification\nnoob_version: 1003.0.2\n"
SHOW = HEAD + "nodes:\n  a:\n    type: differential.extra.show\n    params:\n      value: {}\n  r: {{type: return, depends: a.value}}\n"
SHORT = {"CONST": "model.functions.constant", "PLUS": "model.functions.add_one", "LIST": "model.functions.make_list"}

VALUES = [
    "1", "-1", "+1", "0o17", "0x1F", "1.5", "1e3", "-.5", ".inf", "-.inf", "true", "True", "TRUE", "false", "null", "~",
    "''", '"x"', "yes", "no", "on", "off", "plain text", "'it''s'", '"a\\tb"', '"\\u00e9"', "[1, a, null]",
    "{a: 1, b: [2]}", "[]", "{}", "a: b", "- x", "1:30", "0b11", "|\n        two\n        lines",
    ">\n        one\n        line", "'input.nowhere '", "!!str 5", "2001-12-14", "1_000", "&x [1]", "[&y 1, *y]", "@at",
    "`tick", "%percent", "a #comment", "'a #text'", "? x", "[1, 2", "{a: 1", '"open', "0777", "1e", ".", "..", "1.",
    "0x", "<<", "=",
]  # fmt: skip

FILES = {
    "empty": "",
    "only a comment": "# nothing\n",
    "a list": "- a\n- b\n",
    "a scalar": "text\n",
    "two documents": HEAD + "nodes: {}\n---\nnodes: {}\n",
    "document start": "---\n" + HEAD + "nodes:\n  a: {type: CONST}\n",
    "document end": HEAD + "nodes:\n  a: {type: CONST}\n...\n",
    "duplicate node": HEAD + "nodes:\n  a: {type: CONST}\n  a: {type: CONST}\n",
    "duplicate top key": HEAD + "nodes: {}\nnodes: {}\n",
    "tab": HEAD + "nodes:\n\ta: {type: CONST}\n",
    "wrong indentation": HEAD + "nodes:\n  a: {type: CONST}\n b: {type: CONST}\n",
    "colon in text": HEAD + "description: late: more\nnodes: {}\n",
    "nodes null": HEAD + "nodes:\n",
    "no nodes": HEAD,
    "input null": HEAD + "input:\nnodes:\n  a: {type: CONST}\n",
    "assets null": HEAD + "assets:\nnodes:\n  a: {type: CONST}\n",
    "depends null": HEAD + "nodes:\n  a: {type: CONST, depends: null}\n",
    "depends empty": HEAD + "nodes:\n  a: {type: CONST, depends: []}\n",
    "params null": HEAD + "nodes:\n  a: {type: CONST, params: null}\n",
    "params empty": HEAD + "nodes:\n  a: {type: CONST, params: {}}\n",
    "node null": HEAD + "nodes:\n  a:\n",
    "enabled yes": HEAD + "nodes:\n  a: {type: CONST, enabled: yes}\n",
    "enabled text": HEAD + "nodes:\n  a: {type: CONST, enabled: 'true'}\n",
    "enabled number": HEAD + "nodes:\n  a: {type: CONST, enabled: 1}\n",
    "enabled two": HEAD + "nodes:\n  a: {type: CONST, enabled: 2}\n",
    "stateful text": HEAD + "nodes:\n  a: {type: CONST, stateful: 'no'}\n",
    "stateful null": HEAD + "nodes:\n  a: {type: CONST, stateful: null}\n",
    "number as id": HEAD + "nodes:\n  1: {type: CONST}\n",
    "true as id": HEAD + "nodes:\n  true: {type: CONST}\n",
    "id given": HEAD + "nodes:\n  a: {type: CONST, id: a}\n",
    "another id given": HEAD + "nodes:\n  a: {type: CONST, id: b}\n",
    "nodeinfo": HEAD + "nodes:\n  a: {type: CONST, nodeinfo: {signals: {}}}\n",
    "unicode id": HEAD + "nodes:\n  \u00e9t\u00e9: {type: CONST}\n",
    "slash in noob_id": HEAD.replace("text", "a/b#c") + "nodes:\n  a: {type: CONST}\n",
    "number as noob_id": HEAD.replace("text", "5") + "nodes:\n  a: {type: CONST}\n",
    "number as description": HEAD + "description: 5\nnodes:\n  a: {type: CONST}\n",
    "header later": "nodes:\n  a: {type: CONST}\n" + HEAD,
    "no header": "noob_id: text\nnodes:\n  a: {type: CONST}\n",
    "anchor and alias": HEAD + "nodes:\n  a: &c {type: CONST}\n  b: *c\n",
    "merge key": HEAD + "nodes:\n  a: &c {type: CONST}\n  b: {<<: *c, description: two}\n",
    "unknown alias": HEAD + "nodes:\n  a: *nowhere\n",
    "extends null": HEAD + "extends: null\nnodes:\n  a: {type: CONST}\n",
    "extends empty": HEAD + "extends: []\nnodes:\n  a: {type: CONST}\n",
    "extends missing": HEAD + "extends: [nowhere.yaml]\nnodes:\n  a: {type: CONST}\n",
    "input required text": HEAD + "input:\n  x: {type: int, required: 'no'}\nnodes:\n  a: {type: PLUS, depends: input.x}\n",
    "type without quotes": HEAD + "nodes:\n  a: {type: sum, depends: b.items}\n  b: {type: LIST, params: {value: 3}}\n",
    "key with blank": HEAD + "nodes:\n  a b: {type: CONST}\n",
    "positional slot number": HEAD + "nodes:\n  b: {type: CONST}\n  a: {type: PLUS, depends: [0: b.value]}\n",
    "latin-1 bytes": HEAD + "description: caf\udce9\nnodes:\n  a: {type: CONST}\n",
    "byte order mark": "\ufeff" + HEAD + "nodes:\n  a: {type: CONST}\n",
    "carriage returns": (HEAD + "nodes:\n  a: {type: CONST}\n").replace("\n", "\r\n"),
}

# Where the two read differently, and why.
READ_DIFFERENTLY = {
    "value 0b11": "YAML 1.2 has no binary numbers",
    "value 1_000": "YAML 1.2 has no underscores in numbers",
    "value 2001-12-14": "the core schema of YAML 1.2 has no dates",
    "value !!str 5": "tags are refused",
    "value <<": "noob gives the node an object of its YAML library",
    "value =": "noob gives the node an object of its YAML library",
    "no nodes": "an epoch of nothing ends too",
    "another id given": "a node has one id",
    "anchor and alias": "noob fails: both nodes get the id of the first",
}


def cases():
    for value in VALUES:
        yield f"value {value}", text_case(SHOW.format(value))
    for name, text in FILES.items():
        yield name, text_case(text)


def text_case(text):
    for short, type_ in SHORT.items():
        text = text.replace(short, type_)
    return {"seed": -1, "tube": {}, "text": text, "files": {}, "inputs": {}, "process": {}, "mode": "process", "epochs": 1}
