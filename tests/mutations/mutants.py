"""Deliberate mistakes: small changes of the code, each of which a test must notice."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_OPERATORS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt,),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt,),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Add,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
_NAMES = {
    "min": "max",
    "argmin": "argmax",
    "minimum": "maximum",
    "any": "all",
    "floor": "ceil",
    "zeros": "ones",
    "sum": "mean",
    "mean": "median",
    "first": "last",
    "log": "log1p",
    "std": "var",
    "train": "eval",
}
_NAMES |= {other: name for name, other in _NAMES.items()}
_MESSAGES = ("log", "logging", "warnings", "InputError", "ValueError", "TypeError", "KeyError", "RuntimeError")
"""Names of functions whose calls are not changed. They make messages, which tests of numbers do not check."""
_WORDS = ("where", "found", "expected", "remedy")
"""Names of variables that hold the texts of an InputError."""
_CAUTION = ("strict", "encoding", "frozen", "validate", "verbose", "description", "device", "non_blocking")
"""Keywords that make no difference if the code is right and runs on a CPU. ``strict`` and ``validate`` only check, and ``frozen``
only forbids changes. Text is UTF-8 by default. ``device`` and ``non_blocking`` matter on a GPU, and ``verbose`` and
``description`` are for people."""
_COSTS = ("memory_mb",)
"""Functions that only estimate the cost of a job."""
_SYMMETRIC = ("max", "min", "maximum", "minimum", "pearson")
"""Functions for which the order of their two arguments does not matter."""


@dataclass(frozen=True)
class Mutant:
    """One change of one expression.

    Attributes:
        file: path of the module in the checkout.
        line: line on which the expression begins, from 1.
        statement: first and last line of the statement with the expression. If the statement has a body, the last line is the one
            before the body.
        at_import: the statement runs when the module is imported, and not when a function is called.
        start, stop: the changed bytes of the file.
        text: the code that replaces these bytes.
    """

    file: str
    line: int
    statement: tuple[int, int]
    at_import: bool
    start: int
    stop: int
    text: str

    def applied(self, source: bytes) -> bytes:
        return source[: self.start] + self.text.encode() + source[self.stop :]

    def lines(self, source: bytes) -> tuple[str, str]:
        """Return the line on which the expression begins, without indentation, before and after the change."""
        before, after = (code.decode().splitlines()[self.line - 1].strip() for code in (source, self.applied(source)))
        return before, after


def mutants(root: Path, file: str) -> list[Mutant]:
    """List every mistake that can be made in a module of the checkout at ``root``."""
    source = (root / file).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    tree = ast.parse(source)
    for node, statement, at_import, others in _changes(tree, (1, 1), at_import=True):
        start = starts[node.lineno - 1] + node.col_offset
        stop = starts[node.end_lineno - 1] + node.end_col_offset
        place = (file, node.lineno, (min(statement[0], node.lineno), max(statement[1], node.end_lineno)), at_import)
        found += [Mutant(*place, start, stop, f"({ast.unparse(other)})") for other in others]
    return [mutant for mutant in found if _is_code(mutant.applied(source))]


def _changes(
    node: ast.AST, statement: tuple[int, int], *, at_import: bool
) -> Iterator[tuple[ast.expr, tuple[int, int], bool, list[ast.expr]]]:
    """Yield each expression below a node that can be changed, the lines of its statement, whether it runs at import, and the
    expressions that can replace it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.arg | ast.Raise | ast.JoinedStr) or _is_message(child) or _is_annotation(node, child):
            continue
        if isinstance(child, ast.keyword) and child.arg in _CAUTION:
            continue
        if isinstance(child, ast.FunctionDef) and child.name in _COSTS:
            continue
        if isinstance(child, ast.stmt):
            in_function = isinstance(node, ast.FunctionDef) and child in node.body
            yield from _changes(child, _before_body(child), at_import=at_import and not in_function)
            continue
        if isinstance(child, ast.expr) and (others := list(_others(child))):
            yield child, statement, at_import, others
        yield from _changes(child, statement, at_import=at_import)


def _before_body(statement: ast.stmt) -> tuple[int, int]:
    first = min([statement.lineno, *(decorator.lineno for decorator in getattr(statement, "decorator_list", []))])
    body = getattr(statement, "body", None)
    last = max(statement.lineno, body[0].lineno - 1) if body else statement.end_lineno or statement.lineno
    return first, statement.lineno if isinstance(statement, ast.Match) else last


def _is_message(node: ast.AST) -> bool:
    """Whether a node only makes text for people."""
    if isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
        texts = any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in ast.walk(node.value))
        return texts and bool(names) and names <= set(_WORDS)
    called = node.func if isinstance(node, ast.Call) else None
    while isinstance(called, ast.Attribute):
        called = called.value
    return isinstance(called, ast.Name) and called.id in _MESSAGES


def _is_annotation(node: ast.AST, child: ast.AST) -> bool:
    return child in (getattr(node, "annotation", None), getattr(node, "returns", None))


def _others(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
            if value not in (0, 1):
                yield ast.Constant(type(value)(value * 2))
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            for other in _OPERATORS.get(type(operator), ()):
                yield ast.Compare(left, [other()], [right])
        case ast.BinOp(left=left, op=operator, right=right):
            for other in _OPERATORS.get(type(operator), ()):
                yield ast.BinOp(left, other(), right)
        case ast.BoolOp(op=operator, values=values):
            yield ast.BoolOp(_OPERATORS[type(operator)][0](), values)
            yield values[0]
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.IfExp(body=body, orelse=orelse):
            yield body
            yield orelse
        case ast.Attribute(value=value, attr=name) if name in _NAMES:
            yield ast.Attribute(value, _NAMES[name])
        case ast.Name(id=name) if name in ("min", "max", "any", "all"):
            yield ast.Name(_NAMES[name])
        case ast.Call(func=function, args=arguments, keywords=keywords):
            for keyword in keywords:
                if keyword.arg and keyword.arg not in _CAUTION:
                    yield ast.Call(function, arguments, [other for other in keywords if other is not keyword])
            if len(arguments) == 2 and getattr(function, "attr", getattr(function, "id", "")) not in _SYMMETRIC:
                yield ast.Call(function, arguments[::-1], keywords)


def _is_code(source: bytes) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True
