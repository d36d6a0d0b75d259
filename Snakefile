"""Cortex Scale: how well vision models predict the visual brain, and how that grows with scale.

From released recordings and model checkpoints to the figures of the paper. `config/config.yaml` is the demo study, and
`docs/config.md` describes every key; another study is another file: `snakemake --configfile config/mine.yaml`.
"""

import sys

from snakemake.utils import min_version

min_version("9.27")

sys.path.insert(0, workflow.basedir)

from cortexscale.jobs import place, plain
from cortexscale.plan import DOWNLOADED_SCORES, Plan, share_library
from cortexscale.plan.tables import FIT
from cortexscale.published import FILES

# A config file on the command line stands alone: nothing of the demo may leak into another study.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


share_library()
# Only the command line tells a Snakefile what its targets are.
plan = Plan(config, sys.argv, workflow.configfiles)
if plan.results != config["results"]:
    logger.info(f"Results: {plan.results}")


pathvars:
    results=plan.results,
    logs=f"{plan.results}/logs",
    benchmarks=f"{plan.results}/benchmarks",


wildcard_constraints:
    dataset="|".join(plan.data.datasets),
    stimuli="|".join(plan.study.stimuli),
    model="|".join(map(re.escape, plan.models.inventory)),
    fit=FIT,
    figure=r"[^/]+(?:/[^/]+)?",  # any name, because the plan reports names that are not figures


if plan.study.simulation:  # only such a study has rules that invent data

    include: "workflow/rules/simulate.smk"


if plan.models.checkpoint_folder:  # published models that may have to be downloaded

    include: "workflow/rules/checkpoints.smk"


if plan.alignment.published_layers:  # published layers, which need no search

    include: "workflow/rules/commitments.smk"


if plan.published:  # published result tables in place of the study's own

    include: "workflow/rules/published.smk"


if plan.tables.hyperparameters:  # tables of what is fitted to responses by gradient descent

    include: "workflow/rules/hyperparameters.smk"


if plan.mapping:  # readouts of unprojected features

    include: "workflow/rules/mapping.smk"


if plan.pages.explored:  # score tables for the explore page

    include: "workflow/rules/explore.smk"


if plan.study.projection_study:  # random projections beside all activations

    include: "workflow/rules/projection.smk"


include: "workflow/rules/check.smk"
include: "workflow/rules/estimate.smk"
include: "workflow/rules/preprocess.smk"
include: "workflow/rules/qc.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/alignment.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


if plan.finetuning:  # comes after the rules that it refers to

    include: "workflow/rules/finetuning.smk"


include: "workflow/rules/origins.smk"  # comes last, because it asks which rules there are


onstart:
    plan.begin()


rule all:
    default_target: True
    input:
        plan.figures.files(),
        collect(
            "<results>/tables/{table}.parquet",
            table=plan.tables.names,
        ),
        collect("<results>/{page}", page=plan.pages.names),
