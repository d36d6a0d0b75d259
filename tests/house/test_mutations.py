"""The mutation run makes the mistakes that it should, and sees which of them the tests notice."""

import os
import tomllib
from textwrap import dedent

import pytest
from mutants import mutants
from places import ROOT
from trial import fails, watch

EXPLAINED = tomllib.loads((ROOT / "tests/mutations/explained.toml").read_text(encoding="utf-8"))


def made(tmp_path, code: str) -> list[str]:
    """Return the first changed line of each mistake in a module with the given code."""
    (tmp_path / "module.py").write_text(dedent(code), encoding="utf-8")
    source = (tmp_path / "module.py").read_bytes()
    return [mutant.lines(source)[1] for mutant in mutants(tmp_path, "module.py")]


@pytest.mark.parametrize(
    ("line", "mistakes"),
    [
        ("a < b", {"(a <= b)", "(a > b)"}),
        ("a + b", {"(a - b)"}),
        ("a and b", {"(a or b)", "(a)"}),
        ("not a", {"(a)"}),
        ("a if b else c", {"(a)", "(c)"}),
        ("a.min()", {"(a.max)()"}),
        ("max(a, b)", {"(min)(a, b)"}),
        ("f(a, b)", {"(f(b, a))"}),
        ("f(a, key=b)", {"(f(a))"}),
        ("x = 3", {"x = (4)", "x = (6)"}),
        ("x = 0.5", {"x = (1.5)", "x = (1.0)"}),
        ("x = True", {"x = (False)"}),
    ],
)
def test_one_expression_changes_at_a_time(tmp_path, line, mistakes):
    assert set(made(tmp_path, line)) == mistakes


@pytest.mark.parametrize(
    "line",
    [
        "raise ValueError(1 + 2)",
        "logging.info(1 + 2)",
        "x: Literal[3]",
        "f'{a + b}'",
        "zip(a, strict=True)",
        "'text'",
        "found = f'{a}' + 'b'",
    ],
)
def test_messages_types_and_precautions_stay(tmp_path, line):
    assert made(tmp_path, line) == []


def test_a_mistake_knows_its_statement_and_whether_an_import_runs_it(tmp_path):
    code = """\
        @decorated(1)
        def f(a=2):
            x = g(
                3,
            )
            if x < h(
                x
            ):
                def inner(b=4):
                    return 5
        class C:
            y = 6
        """
    (tmp_path / "module.py").write_text(dedent(code), encoding="utf-8")
    found = {mutant.text: (mutant.statement, mutant.at_import) for mutant in mutants(tmp_path, "module.py")}
    assert found["(2)"] == ((1, 2), True)
    assert found["(4)"] == ((3, 5), False)
    assert found["(x <= h(x))"] == ((6, 8), False)
    assert found["(8)"] == ((9, 9), False)
    assert found["(10)"] == ((10, 10), False)
    assert found["(12)"] == ((12, 12), True)


@pytest.mark.parametrize("file", EXPLAINED)
def test_every_explained_mistake_can_still_be_made(file):
    source = (ROOT / file).read_bytes()
    assert set(EXPLAINED[file]) <= {line for mutant in mutants(ROOT, file) for line in mutant.lines(source)}


def test_the_tests_of_a_line_are_found_and_notice_its_change(tmp_path):
    checkout = tmp_path / "checkout"
    for folder in ("cortexscale", "tests"):
        (checkout / folder).mkdir(parents=True)
    (checkout / "pytest.ini").write_text("[pytest]\nmarkers = slow\n", encoding="utf-8")
    (checkout / "cortexscale/__init__.py").write_text("", encoding="utf-8")
    module, right = checkout / "cortexscale/half.py", "def half(x):\n    return x / 2\ndef third(x):\n    return x / 3\n"
    module.write_text(right, encoding="utf-8")
    os.utime(module, (0, 0))  # compiled modules are told apart by the second of their date, and a checkout is older than its run
    tests = """\
        import pytest
        def test_half():
            from cortexscale.half import half
            assert half(4) == 2
        def test_third():
            from cortexscale.half import third
            third(3)
        def test_wrong():
            assert False
        @pytest.mark.slow
        def test_slow():
            pass
        """
    (checkout / "tests/test_half.py").write_text(dedent(tests), encoding="utf-8")
    watched = watch(checkout, ["tests"])
    half, third = "tests/test_half.py::test_half", "tests/test_half.py::test_third"
    assert watched.failing == ["tests/test_half.py::test_wrong"]
    assert set(watched.seconds) == {half, third}
    assert watched.lines["cortexscale/half.py", 2] == {half} and watched.lines["cortexscale/half.py", 4] == {third}
    assert watched.lines["cortexscale/half.py", 0] == {half, third}
    assert not fails(checkout, [half, third], 1)
    module.write_text(right.replace("x / 2", "x * 2").replace("x / 3", "x * 3"), encoding="utf-8")
    assert fails(checkout, [half], 1) and not fails(checkout, [third], 1)
