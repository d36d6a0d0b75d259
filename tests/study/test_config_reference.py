"""The config reference and the schema are those of the code, and every key has a description."""

import json
import sys

import pytest
import yaml
from places import ROOT

from cortexscale.datasets.readers import load_reader, load_simulator
from cortexscale.datasets.registry import NAMES
from cortexscale.study import Study

sys.path.insert(0, str(ROOT / "docs"))
import config_reference


def test_every_key_has_a_description():
    fields = [
        (key, name, field) for key, section in config_reference.sections(Study) for name, field in section.model_fields.items()
    ]
    assert len(fields) > 200
    assert not [f"{key}.{name}" for key, name, field in fields if not field.description]
    assert not [key for key, section in config_reference.sections(Study) if not section.__doc__]


@pytest.mark.parametrize("reader", NAMES)
def test_every_option_of_a_reader_and_its_simulator_has_a_meaning(reader):
    for section in (load_reader(reader).Options, load_simulator(reader, "reader").Settings):
        assert not [name for name, meaning in config_reference.attributes(section).items() if not meaning]


def test_the_committed_pages_are_those_of_the_code():
    remedy = "run `make docs` and commit docs/config.md and config/schema.json"
    assert config_reference.PAGE.read_text(encoding="utf-8") == config_reference.page(Study), remedy
    assert config_reference.SCHEMA.read_text(encoding="utf-8") == config_reference.schema(Study), remedy


@pytest.mark.parametrize("name", ["config", "paper", "published", "spvvs"])
def test_shipped_configs_name_the_schema_and_have_its_keys(name):
    text = (ROOT / f"config/{name}.yaml").read_text(encoding="utf-8")
    assert text.splitlines()[0] == "# yaml-language-server: $schema=schema.json"
    schema = json.loads(config_reference.SCHEMA.read_text(encoding="utf-8"))
    assert set(yaml.safe_load(text)) <= set(schema["properties"])
    assert schema["$defs"]["Recipe"]["anyOf"][0]["type"] == "string", "`recipe: resnet` is valid"
