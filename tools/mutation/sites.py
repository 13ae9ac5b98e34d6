"""Where a C++ source can be mutated, found in its syntax tree."""

import re
from dataclasses import dataclass

import tree_sitter
import tree_sitter_cpp

PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_cpp.language()))

RELATIONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
SWAPS = {
    "relation": RELATIONS,
    "logic": {"&&": "||", "||": "&&"},
    "arithmetic": {"+": "-", "-": "+"},
}
INTEGER = re.compile(r"(0[xX][0-9a-fA-F']+|0[bB][01']+|[0-9][0-9']*)[uUlLzZ]*")

# Never descended into: what is fixed when the source is compiled, what the preprocessor makes, and
# texts for people.
CLOSED = {
    "alignas_qualifier", "attribute_declaration", "attribute_specifier", "bitfield_clause", "char_literal", "comment",
    "concatenated_string", "decltype", "enumerator_list", "ERROR", "noexcept", "raw_string_literal", "requires_clause",
    "sizeof_expression", "alignof_expression", "static_assert_declaration", "string_literal", "template_argument_list",
    "template_parameter_list", "type_descriptor", "user_defined_literal",
}  # fmt: skip
FIXED = {b"constexpr", b"consteval", b"constinit"}
# A call that makes a text for people.
TEXT_CALLS = {"fmt::format", "fmt::format_to", "fmt::print"}
# Macros whose name stays when their arguments are hidden, as they stand where a statement does.
STATEMENT_MACROS = {
    "PENSTOCK_CHECK", "PENSTOCK_DCHECK", "PENSTOCK_RETURN_IF_ERROR", "PENSTOCK_ASSIGN_OR_RETURN",
}  # fmt: skip

Span = tuple[int, int]
SITE_NUMBER = object()


@dataclass(frozen=True)
class Site:
    """One mutant: what stands at [start, end) of the file, and the pieces written instead of it.

    A piece is text, a span of the source (in which other sites may lie) or SITE_NUMBER.
    """

    path: str
    start: int
    end: int
    line: int
    operator: str
    before: str
    after: str
    pieces: tuple
    outer: int = 0  # of two sites with the same bounds the one with the lower number encloses the other


def hide_macros(source: bytes) -> bytes:
    """The source with the arguments of our macros as blanks: they need not be an expression."""
    text = bytearray(source)
    at = 0
    token = re.compile(rb'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'|\b[A-Za-z_]\w*', re.S)
    while match := token.search(source, at):
        at = match.end()
        name = match[0].decode("utf-8", "replace")
        if not name.startswith("PENSTOCK_") or source[at : at + 1] != b"(":
            continue
        end = closing_bracket(source, at, token)
        first = at if name in STATEMENT_MACROS else match.start()
        for i in range(first, end):
            if text[i] != 0x0A:
                text[i] = 0x20
        at = end
    return bytes(text)


def closing_bracket(source: bytes, at: int, token: re.Pattern) -> int:
    depth = 0
    while at < len(source):
        if match := token.match(source, at):
            at = match.end()
            continue
        depth += {0x28: 1, 0x29: -1}.get(source[at], 0)
        at += 1
        if depth == 0:
            break
    return at


def find_sites(path: str, source: bytes) -> list[Site]:
    """All sites of a file, in the order of their starts, enclosing ones first."""
    finder = Finder(path, source)
    finder.visit(PARSER.parse(hide_macros(source)).root_node, None)
    return sorted(finder.sites, key=lambda site: (site.start, -site.end, site.outer))


def is_fixed(node) -> bool:
    """A declaration or function of which the value is known when it is compiled."""
    return any(child.text in FIXED for child in node.children)


def returns_status(node) -> bool:
    """Whether a function or lambda says that it gives a Status."""
    if node.type == "function_definition":
        kind = node.child_by_field_name("type")
        return kind is not None and kind.text in (b"base::Status", b"Status")
    declarator = node.child_by_field_name("declarator")
    trailing = [child for child in declarator.children if child.type == "trailing_return_type"] if declarator else []
    return bool(trailing) and trailing[0].text.split(b"->")[-1].strip() in (b"base::Status", b"Status")


class Finder:
    def __init__(self, path: str, source: bytes):
        self.path = path
        self.source = source
        self.sites: list[Site] = []

    def text(self, node) -> str:
        return self.source[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def visit(self, node, function) -> None:
        """`function`: the innermost function or lambda around the node."""
        if node.type in CLOSED or node.type.startswith("preproc_"):
            return
        if node.type in ("declaration", "field_declaration", "function_definition") and is_fixed(node):
            return
        if node.type == "call_expression" and self.text(node.child_by_field_name("function")) in TEXT_CALLS:
            return
        if node.type == "binary_expression" and self.makes_text(node):
            return
        if node.type in ("function_definition", "lambda_expression"):
            function = node
        if function is not None:
            self.look(node, function)
        fixed_condition = node.type == "if_statement" and any(child.type == "constexpr" for child in node.children)
        for index, child in enumerate(node.children):
            field = node.field_name_for_child(index)
            if (node.type == "case_statement" and field == "value") or (node.type == "array_declarator" and field == "size"):
                continue
            if fixed_condition and field == "condition":
                continue
            self.visit(child, function)

    def makes_text(self, node) -> bool:
        """A chain of + with a literal text in it."""
        if self.text(node.child_by_field_name("operator")) != "+":
            return False
        sides = [node.child_by_field_name("left"), node.child_by_field_name("right")]
        return any(
            side.type in ("string_literal", "concatenated_string", "raw_string_literal")
            or (side.type == "binary_expression" and self.makes_text(side))
            for side in sides
        )

    def look(self, node, function) -> None:
        look = getattr(self, f"look_at_{node.type}", None)
        if look is not None:
            look(node, function)

    def add(self, node, operator: str, after: str, pieces: tuple, outer: int = 0) -> None:
        line = self.source.count(b"\n", 0, node.start_byte) + 1
        before = " ".join(self.text(node).split())
        self.sites.append(Site(self.path, node.start_byte, node.end_byte, line, operator, before, after, pieces, outer))

    def add_expression(self, node, operator: str, after: str, mutant: tuple) -> None:
        self.add(node, operator, after, ("(penstock_mutant(", SITE_NUMBER, ") ? ", *mutant, " : (", span(node), "))"), 1)

    def look_at_binary_expression(self, node, _function) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        sign = self.text(node.child_by_field_name("operator"))
        for operator, swap in SWAPS.items():
            if sign in swap:
                pieces = ("((", span(left), f") {swap[sign]} (", span(right), "))")
                self.add_expression(node, operator, f"{sign} becomes {swap[sign]}", pieces)

    def look_at_number_literal(self, node, _function) -> None:
        number = self.text(node)
        if not INTEGER.fullmatch(number):
            return
        swapped = {"0": "1", "1": "0"}.get(number)
        after = swapped if swapped is not None else f"{number} + 1"
        self.add_expression(node, "constant", f"{number} becomes {after}", (f"({after})",))

    def look_at_true(self, node, _function) -> None:
        self.look_at_truth(node)

    def look_at_false(self, node, _function) -> None:
        self.look_at_truth(node)

    def look_at_truth(self, node) -> None:
        places = {"return_statement", "argument_list", "assignment_expression", "init_declarator", "initializer_pair"}
        if node.parent.type in places:
            after = "false" if node.type == "true" else "true"
            self.add_expression(node, "truth", f"{node.type} becomes {after}", (after,))

    def negate(self, condition) -> None:
        if condition is None or condition.type == "declaration" or condition.type in CLOSED:
            return
        pieces = ("(penstock_mutant(", SITE_NUMBER, ") != static_cast<bool>(", span(condition), "))")
        self.add(condition, "condition", "is negated", pieces)

    def look_at_if_statement(self, node, _function) -> None:
        if not any(child.type == "constexpr" for child in node.children):
            self.look_at_while_statement(node, _function)

    def look_at_while_statement(self, node, _function) -> None:
        clause = node.child_by_field_name("condition")
        if clause is not None and clause.type == "condition_clause":
            self.negate(clause.child_by_field_name("value"))

    def look_at_do_statement(self, node, _function) -> None:
        inner = node.child_by_field_name("condition").named_children
        self.negate(inner[0] if len(inner) == 1 else None)

    def look_at_conditional_expression(self, node, _function) -> None:
        self.negate(node.child_by_field_name("condition"))

    def remove(self, node, operator: str) -> None:
        if node.parent.type in ("compound_statement", "case_statement"):
            pieces = ("{ if (!penstock_mutant(", SITE_NUMBER, ")) ", span(node), " }")
            self.add(node, operator, "is removed", pieces)

    def look_at_expression_statement(self, node, _function) -> None:
        inner = node.named_children
        if len(inner) != 1 or inner[0].type not in ("call_expression", "assignment_expression", "update_expression"):
            return
        called = inner[0].child_by_field_name("function")
        if called is None or not self.text(called).startswith("PENSTOCK_"):
            self.remove(node, "statement")

    def look_at_break_statement(self, node, _function) -> None:
        self.remove(node, "jump")

    def look_at_continue_statement(self, node, _function) -> None:
        self.remove(node, "jump")

    def look_at_return_statement(self, node, function) -> None:
        value = node.named_children[0] if node.named_children else None
        if value is None or not returns_status(function) or self.text(value) in ("{}", "base::Status()", "Status()"):
            return
        if node.parent.type in ("compound_statement", "case_statement"):
            pieces = ("{ if (penstock_mutant(", SITE_NUMBER, ")) return {}; ", span(node), " }")
            self.add(node, "status", "gives success", pieces)


def span(node) -> Span:
    return node.start_byte, node.end_byte
