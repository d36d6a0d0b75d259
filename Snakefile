"""Cortex Scale measures how well vision models predict the visual brain, and how their accuracy grows with scale.

The workflow makes the figures of the paper from released recordings and model checkpoints. `config/config.yaml` is the demo study, and
`docs/config.md` describes every key. To run another study, name its config file: `snakemake --configfile config/mine.yaml`.
"""

import sys
from pathlib import Path

from snakemake.cli import parse_args
from snakemake.utils import min_version

min_version("9.27")

sys.path.insert(0, workflow.basedir)

from cortexscale.environment import require_environment

# With --sdm, jobs run in environments of their own, and this environment only plans the jobs.
require_environment(
    Path(workflow.basedir) / "pyproject.toml",
    only={"pydantic", "pyyaml", "snakemake"} if workflow.deployment_settings.deployment_method else None,
)

from cortexscale.jobs import place, plain
from cortexscale.plan import DOWNLOADED_SCORES, Plan, require_usable_paths, share_library
from cortexscale.plan.progress import Progress, follow
from cortexscale.plan.tables import FIT
from cortexscale.published import FILES

# If the command line names a config file, the config of the demo is not read, so that no key of the demo enters another study.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


require_usable_paths()
share_library()
# Only the command line tells a Snakefile what its targets are.
targets = parse_args(sys.argv[1:])[1].targets or []
plan = Plan(config, targets, workflow.configfiles)
if plan.results != config["results"]:
    logger.info(f"Results: {plan.results}")
if plan.models.left_out:
    logger.warning(
        f"Left out, because their weights are missing and the study is offline: {', '.join(plan.models.left_out)}"
    )


pathvars:
    results=plan.results,
    logs=f"{plan.results}/logs",
    benchmarks=f"{plan.results}/benchmarks",


wildcard_constraints:
    dataset="|".join(map(re.escape, plan.data.datasets)),
    stimuli="|".join(map(re.escape, plan.study.stimuli)),
    model="|".join(map(re.escape, plan.models.inventory)),
    fit=FIT,
    figure=r"[^/]+(?:/[^/]+)?",  # any name, because the plan reports names that are not figures


if plan.study.simulation:  # only a study with a simulation has rules that simulate data

    include: "workflow/rules/simulate.smk"


if plan.inputs.to_download:  # files of the section `downloads` are missing

    include: "workflow/rules/downloads.smk"


if plan.models.checkpoint_folder:  # published checkpoints may have to be downloaded

    include: "workflow/rules/checkpoints.smk"


if plan.alignment.published_layers:  # published layers are imported and not searched

    include: "workflow/rules/commitments.smk"


if plan.published:  # published result tables are used instead of the study's own

    include: "workflow/rules/published.smk"


if plan.tables.hyperparameters:  # the study fine-tunes models or trains readouts

    include: "workflow/rules/hyperparameters.smk"


if plan.mapping:  # the study fits readouts of unprojected features

    include: "workflow/rules/mapping.smk"


if plan.pages.explored:  # the study has score tables for the explore page

    include: "workflow/rules/explore.smk"


if plan.study.projection_study:  # the study compares random projections with all activations

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


single = [rule.name for rule in workflow.rules if not rule.has_wildcards()]
plan.require_known_targets(
    [
        target
        for target in targets
        if target not in single and not any(rule.is_producer(target) for rule in workflow.rules)
    ],
    {rule.name: list(map(str, rule.output)) for rule in workflow.rules},
)


onstart:
    plan.begin()
    dag = workflow.dag
    jobs = {dag.jobid(job): (job.rule.name, job.wildcards_dict) for job in dag.needrun_jobs()}
    follow(logger, Progress(plan.expected_costs, jobs, logger.info))


rule all:
    default_target: True
    input:
        plan.figures.files(),
        collect(
            "<results>/tables/{table}.parquet",
            table=plan.tables.names,
        ),
        collect("<results>/{page}", page=plan.pages.names),
