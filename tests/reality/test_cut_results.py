"""A result that was cut is named by the job that reads it, with the cure."""

import pandas as pd
import pytest

from cortexscale.commitments import Commitments
from cortexscale.errors import InputError
from cortexscale.stores import read_json, read_table

READERS = {"commitments": Commitments.load, "facts": read_json, "table": read_table}


@pytest.mark.parametrize(
    "content", [b"", b'{"model_id": "a", "commi', b"[]", b"\xff\xfe\x00"], ids=["empty", "cut", "list", "bytes"]
)
@pytest.mark.parametrize("kind", READERS)
def test_a_cut_file_is_named_with_its_cure(tmp_path, kind, content):
    file = tmp_path / "result"
    file.write_bytes(content)
    with pytest.raises(InputError, match="delete the file and run again") as error:
        READERS[kind](file)
    assert str(file) in str(error.value)


def test_a_cut_table_is_named(tmp_path):
    pd.DataFrame({"a": range(1000)}).to_parquet(tmp_path / "t.parquet")
    content = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="not a readable table"):
        read_table(tmp_path / "t.parquet")
