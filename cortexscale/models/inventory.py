"""The models of a study, with their ids, their pretraining, and their reference models."""

import fnmatch
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import product
from typing import Any

from cortexscale.errors import InputError, Problems
from cortexscale.models import spvvs
from cortexscale.models.families import LAYERS, timm_family
from cortexscale.models.model import Builder, FunctionBuilder, HubBuilder, Model, PublishedBuilder, TimmBuilder
from cortexscale.models.training.recipes import resolve
from cortexscale.recipe import Recipe
from cortexscale.section import LONGEST, NAME, Refused, apart
from cortexscale.study import Study
from cortexscale.study import models as sections

SUITES = ("suite", "spvvs")
"""Sources of models that belong to controlled suites."""


def model_inventory(study: Study, problems: Problems) -> dict[str, Model]:
    """Return every model of a study by id, in the order of the config.

    Repeated ids, unknown references and unknown families of layers are added to ``problems``. If a source is
    wrong, its error is added too, and its models are left out.
    """
    models: list[Model] = []
    for source in study.models:
        with problems.collected():
            models += _models_of(source, study.results)
    borrow = study.layer_commitment.borrow
    inventory = {model.id: model if borrow else replace(model, reference=model.id) for model in models}
    problems.found += _ids_that_are_no_file_names([model.id for model in models])
    missing: dict[str, list[str]] = {}
    for model in inventory.values():
        if model.reference not in inventory:
            missing.setdefault(model.reference, []).append(model.id)
        elif (chosen := inventory[model.reference]).reference != chosen.id:
            found, expected = f"{chosen.id}, whose own reference is {chosen.reference}", "a model whose layers are searched"
            remedy = f"give both models one reference, or drop `reference` of {chosen.id}"
            problems.found.append(InputError(f"reference of {model.id}", found, expected, remedy))
    for reference, ids in missing.items():
        found, expected = f"{reference}, which is not a model of this study", "the id of a model with the same layers"
        remedy = "add that model (in a suite, it is the one of `samples_per_class` 0 and of seed 0), or drop `reference`"
        problems.found.append(InputError(f"reference of {', '.join(ids)}", found, expected, remedy))
    return {id: model for id, model in inventory.items() if model.reference in inventory}


def _ids_that_are_no_file_names(ids: Sequence[str]) -> Iterator[InputError]:
    where = "config key `models`"
    repeated = [id for id, count in Counter(ids).items() if count > 1]
    if repeated:
        yield InputError(where, f"ids given twice: {', '.join(repeated[:5])}", "unique ids", "drop one of the sources")
    for id in ids:
        if not re.fullmatch(NAME, id):
            expected = f"an id of at most {LONGEST} letters, digits, dots, dashes and underscores, because files are named by it"
            yield InputError(where, f"the id {id!r}", expected, "rename the file or folder that the id is taken from")
    try:
        apart(dict.fromkeys(ids))
    except Refused as refused:
        yield InputError(where, f"the ids {refused.found}", refused.expected, refused.remedy)


def fitted_models(study: Study) -> list[str]:
    """Return the ids of models to which scaling laws are fitted. Adversarial copies and models of a wrong source are excluded."""
    models: list[Model] = []
    for source in study.models:
        with Problems().collected():
            models += _models_of(source, study.results) if source.fit else []
    return [model.id for model in models if model.begins_with is None]


def _models_of(source: sections.Models, results: str) -> list[Model]:
    match source:
        case sections.Suite():
            return suite_models(source, results)
        case sections.PublishedSuite():
            return published_models(source)
        case sections.TimmModels() | sections.HuggingFaceModels():
            return hub_models(source)
        case sections.CheckpointModel():
            return [checkpoint_model(source)]
        case sections.PythonModel():
            return [python_model(source)]


def layer_patterns(layers: sections.Layers, where: str) -> tuple[str, ...]:
    """Return the regular expressions of layers, as given or from a family. An unknown family raises an InputError."""
    if not isinstance(layers, str):
        return tuple(layers)
    if layers not in LAYERS:
        remedy = "name a family, or list regular expressions over module names: layers: ['blocks.*']"
        raise InputError(f"`layers` of {where}", layers, f"a family among {', '.join(LAYERS)}", remedy)
    return LAYERS[layers]


def suite_models(suite: sections.Suite, results: str) -> list[Model]:
    """List the models of a suite that is trained here.

    They are all architectures x training-set sizes x seeds, followed by the adversarial copies.
    """
    models = []
    for (arch, spec), samples, seed in product(suite.architectures.items(), suite.samples_per_class, suite.seeds):
        id = spvvs.model_id(arch, suite.dataset, samples, seed)
        models.append(
            Model(
                id=id,
                source="suite",
                arch=arch,
                family=spec.family,
                builder=_builder(spec, suite.classes),
                layers=tuple(spec.layers),
                reference=spvvs.model_id(arch, suite.dataset, 0, 0),
                dataset=suite.dataset,
                samples_per_class=samples,
                seed=seed,
                checkpoint=f"{results}/models/{id}.pt",
                image_size=spec.image_size or suite.image_size,
            )
        )
    copies = suite.adversarial
    if copies is None:
        return models
    originals = [model for model in models if model.samples_per_class == 0 and model.arch in copies.architectures]
    return models + [adversarial_copy(original, resolve(copies.recipe), results) for original in originals]


def _builder(entry: sections.SuiteArchitecture | sections.CheckpointModel, classes: int) -> Builder:
    if entry.architecture:
        return PublishedBuilder(entry.architecture, classes)
    assert entry.timm is not None, "a section has one of the two"
    return TimmBuilder(entry.timm, entry.arguments, classes)


def adversarial_copy(original: Model, recipe: Recipe, results: str) -> Model:
    """Make an adversarial copy of a model. The copy continues the training of the model.

    A recipe without an attack raises an InputError.
    """
    if recipe.attack is None:
        where = "config key `models: - source: suite: adversarial: recipe`"
        remedy = "add `attack: {eps: 1, alpha: 1.25}`, or drop `adversarial`"
        raise InputError(where, "no attack", "an adversarial recipe", remedy)
    eps, alpha = (f"{size:g}".replace(".", "") for size in (recipe.attack.eps, recipe.attack.alpha))
    duration = f"ep{recipe.epochs:g}" if recipe.epochs else f"steps{recipe.steps}"
    id = f"adv_{original.arch}_{original.dataset}_full_ffgsm_eps-{eps}_alpha-{alpha}-{duration}_seed-{original.seed}"
    return replace(original, id=id, begins_with=original.id, checkpoint=f"{results}/models/{id}.pt")


def published_models(source: sections.PublishedSuite) -> list[Model]:
    """List the published checkpoints that the config selects.

    A pattern without a match, or a missing reference model, raises an InputError.
    """
    checkpoints = [entry for entry in spvvs.checkpoints() if any(fnmatch.fnmatch(entry.id, pattern) for pattern in source.only)]
    idle = [pattern for pattern in source.only if not any(fnmatch.fnmatch(entry.id, pattern) for entry in checkpoints)]
    if idle:
        where = "config key `models: - source: spvvs: only`"
        expected = "shell patterns over ids such as resnet18_imagenet_full or deit_small_ecoset_10_seed-0"
        raise InputError(where, f"{', '.join(idle)}, which no published checkpoint matches", expected, "correct the pattern")
    known = {entry.id for entry in checkpoints}
    models = []
    for entry in checkpoints:
        if entry.reference not in known:
            where, found = "config key `models: - source: spvvs: only`", f"{entry.id} without {entry.reference}"
            expected = "the reference model of every architecture (full ImageNet, seed 0), which carries its layer search"
            raise InputError(where, found, expected, f"add {entry.reference} to `only`, or set layer_commitment.borrow: false")
        facts = asdict(entry)
        file = f"{source.path}/{entry.id}/ep{entry.epochs}.pt"
        del facts["epochs"]
        builder = PublishedBuilder(entry.arch, spvvs.CLASSES[entry.dataset])
        layers = LAYERS[entry.family]
        models.append(Model(source="spvvs", builder=builder, layers=layers, checkpoint=file, ema=source.ema, **facts))
    return models


def hub_models(source: sections.TimmModels | sections.HuggingFaceModels) -> list[Model]:
    """List pretrained models of timm or of the Hugging Face hub. Each model is its own reference model."""
    models, of_timm = [], isinstance(source, sections.TimmModels)
    named = source.layers if isinstance(source.layers, str) else source.source
    for name in source.ids:
        id = name.split("/")[-1]  # hf-hub:owner/name
        arch = id.split(".")[0] if of_timm else id
        models.append(
            Model(
                id=id,
                source=source.source,
                arch=arch,
                family=source.family or (timm_family(arch) if of_timm else named),
                builder=TimmBuilder(name) if of_timm else HubBuilder(name),
                layers=layer_patterns(source.layers, name),
                reference=id,
                n_samples=source.pretraining_samples.get(name),
            )
        )
    return models


def checkpoint_model(entry: sections.CheckpointModel) -> Model:
    """Make a model of a user's weights in a known architecture.

    An InputError is raised if the architecture or the family of layers is unknown.
    """
    families = {arch: family for grid in (spvvs.NAMED, spvvs.FLEX) for family, archs in grid.items() for arch in archs}
    if entry.architecture and entry.architecture not in families:
        expected = f"one of {', '.join(arch for archs in spvvs.NAMED.values() for arch in archs)}, or a flex architecture"
        raise InputError(f"`architecture` of {entry.id}", entry.architecture, expected, "correct the name, or use `timm`")
    family, arch = entry.family or families.get(entry.architecture or "", ""), (entry.timm or "").split(".")[0]
    return Model(
        source="checkpoint",
        arch=entry.architecture or arch,
        family=family or timm_family(arch),
        builder=_builder(entry, entry.classes),
        layers=layer_patterns(entry.layers or family or "no family", entry.id),
        checkpoint=entry.file,
        image_size=entry.image_size,
        **_common_fields(entry),
    )


def python_model(entry: sections.PythonModel) -> Model:
    """Make a model of a network that a function of the user builds."""
    return Model(
        source="python",
        arch=entry.id,
        family=entry.family,
        builder=FunctionBuilder(entry.file, entry.function, entry.arguments, entry.transform),
        layers=layer_patterns(entry.layers, entry.id),
        checkpoint=entry.checkpoint,
        **_common_fields(entry),
    )


def _common_fields(entry: sections.OwnModel) -> dict[str, Any]:
    pretraining = {"dataset": entry.dataset, "n_samples": entry.samples, "seed": entry.seed}
    weights = {"ema": entry.ema, "weights_at": entry.weights_at}
    return {"id": entry.id, "reference": entry.reference or entry.id, **weights, **pretraining}
