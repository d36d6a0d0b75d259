"""The digest of a stage changes with its statements, through imports, and with nothing else."""

import textwrap

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
