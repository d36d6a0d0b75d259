"""The digest of a stage changes with its statements, through imports, and with nothing else."""

import hashlib
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from cortexscale import code


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package under the name of ours, and a script that uses it."""
    root = tmp_path / "cortexscale"
    (root / "kernels").mkdir(parents=True)
    (root / "kernels" / "deep.py").write_text("def f(x):\n    return x + 1\n")
    (root / "middle.py").write_text("from cortexscale.kernels.deep import f\n")
    (root / "other.py").write_text("y = 1\n")
    script = tmp_path / "stage.py"
    script.write_text("from cortexscale.middle import f\n\n\ndef main():\n    return f(1)\n")
    monkeypatch.setattr(code, "PACKAGE", root)

    def digest(*modules):
        for function in (code.stage_digest, code.parsed):
            function.cache_clear()
        return code.stage_digest(script, *modules)

    yield root, script, digest
    for function in (code.stage_digest, code.parsed):
        function.cache_clear()


def test_a_statement_of_an_imported_module_counts(package):
    root, _, digest = package
    before = digest()
    (root / "kernels" / "deep.py").write_text("def f(x):\n    return x + 2\n")
    assert digest() != before


def test_comments_docstrings_and_layout_do_not_count(package):
    root, script, digest = package
    before = digest()
    (root / "kernels" / "deep.py").write_text(
        textwrap.dedent('''
        """A module."""

        def f(
            x,
        ):
            """Adds one."""
            return x + 1  # really
        ''')
    )
    script.write_text('"""A script."""\n' + script.read_text())
    assert digest() == before


def test_the_code_of_a_subpackage_counts(package):
    root, script, digest = package
    (root / "zoo").mkdir()
    (root / "zoo" / "__init__.py").write_text("z = 1\n")
    script.write_text("from cortexscale.zoo import z\n")
    before = digest()
    (root / "zoo" / "__init__.py").write_text("z = 2\n")
    assert digest() != before


def test_other_modules_count_only_where_they_are_named(package):
    root, _, digest = package
    before, named = digest(), digest("cortexscale.other")
    assert before != named
    (root / "other.py").write_text("y = 2\n")
    assert digest() == before and digest("cortexscale.other") != named


def test_files_of_data_count_where_they_are_named(package):
    root, _, digest = package
    (root / "facts.toml").write_text("units = 1\n")
    before = digest(root / "facts.toml")
    (root / "facts.toml").write_text("units = 2\n")
    assert digest(root / "facts.toml") != before


EVERY_CONSTRUCT = """
@decorated(1, *more, **named)
class Shape(Base, metaclass=Meta):
    size: int = 3
    def area(self, x, /, y=1.5e-300, *args, z: "text" = None, **kwargs) -> float:
        return f"{x!r:>{self.width}} {y:.3g}{'' if y else 'none'}{{}}" f"°" + b"".decode() + "Zoë \\U0001f9e0"
async def run():
    async with a as b, c: await d
    return [i async for i in e if i], {k: v for k, v in f.items()}, (lambda q: (yield))
match value:
    case {"a": [1, *rest]} | Point(x=0) as found if found: pass
    case _: raise ValueError from None
try: x = 1_000_000_000_000_000_000_000j if (y := 3) else ...
except* OSError as error: del error
"""


@pytest.mark.parametrize("python", ["python3.11", "python3.12", "python3.13"])
def test_the_digest_is_the_same_under_every_version_of_python(tmp_path, python):
    found = [*Path.home().glob(f".pyenv/versions/{python.removeprefix('python')}.*/bin/python"), shutil.which(python)]
    works = (each for each in filter(None, found) if not subprocess.run([each, "--version"], capture_output=True).returncode)
    if not (interpreter := next(works, None)):
        pytest.skip(f"there is no {python} here")
    (tmp_path / "sample.py").write_text(EVERY_CONSTRUCT, encoding="utf-8")
    places = [tmp_path / "sample.py", *sorted(code.PACKAGE.rglob("*.py"))]
    program = (
        "import sys, types, hashlib; from pathlib import Path\n"
        "package = types.ModuleType('cortexscale'); package.__path__ = [sys.argv[1]]; sys.modules['cortexscale'] = package\n"
        "from cortexscale.code import parsed\n"
        "print(hashlib.md5(b''.join(parsed(Path(file))[0] for file in sys.argv[2:])).hexdigest())"
    )
    command = [interpreter, "-I", "-c", program, code.PACKAGE, *places]
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    ours = hashlib.md5(b"".join(code.parsed(file)[0] for file in places)).hexdigest()
    assert done.stdout.strip() == ours
