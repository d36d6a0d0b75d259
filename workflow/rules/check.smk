"""Checks that run on request.

The commands are `snakemake check_data`, `snakemake check_dataset --config dataset=NAME` and
`snakemake check_model --config model=ID`.

Needs:  the config; with a simulation, its files. Released files need not exist: the checks report missing files
Makes:  qc/check_data.txt, qc/check_dataset_<dataset>.txt, qc/check_model_<model>.txt, and the same text on the terminal. These
        files are not outputs of the rules: a rule without outputs and benchmark always runs on request, and keeps its report if it
        fails
"""


rule check_data:
    """Compare the raw files with the released files."""
    input:
        lambda wildcards: plan.data.simulated_inputs(plan.data.datasets),
    log:
        "<logs>/check_data.log",
    localrule: True
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=2000,
        runtime="12h",
    params:
        study=plan.study.study,
        datasets=plain(plan.data.datasets),
        stimuli=plain(plan.study.stimuli),
        missing=lambda wildcards: plan.missing_files_of_models,
        checksums=plan.checks.checksums,
        suites=[plain(source) for source in plan.study.models if source.source == "suite"],
        checkpoints=plan.models.checkpoints,
        timm_names=[name for source in plan.study.models if source.source == "timm" for name in source.ids],
        images_of_finetuning=plan.finetuning.labelled_images if plan.finetuning else {},
        report=f"{plan.results}/qc/check_data.txt",
        code=plan.code("check_data"),
    script:
        "../scripts/check_data.py"


rule check_dataset:
    """Call every function of a dataset module on its raw files."""
    input:
        lambda wildcards: plan.data.simulated_inputs([plan.checks.dataset]),
    log:
        "<logs>/check_dataset.log",
    localrule: True
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=8000,
        runtime="12h",
    params:
        dataset=lambda wildcards: plan.checks.dataset,
        entry=lambda wildcards: plain(plan.data.datasets[plan.checks.dataset]),
        images=lambda wildcards: plain(plan.study.stimuli[plan.data.datasets[plan.checks.dataset].stimuli]),
        report=lambda wildcards: f"{plan.results}/qc/check_dataset_{plan.checks.dataset}.txt",
        code=plan.code("check_dataset"),
    script:
        "../scripts/check_dataset.py"


rule check_model:
    """Load a model and run it on two images."""
    log:
        "<logs>/check_model.log",
    localrule: True
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=16000,
        runtime="1h",
    params:
        model=lambda wildcards: plain(plan.models.inventory[plan.checks.model]),
        projection=plain(plan.study.features.projection),
        batch_size=plan.study.features.batch_size,
        asked_mb=lambda wildcards: plan.limits.largest_sweep_mb(plan.checks.model),
        weights_follow=lambda wildcards: plan.models.weights_follow(plan.checks.model),
        report=lambda wildcards: f"{plan.results}/qc/check_model_{plan.checks.model}.txt",
        code=lambda wildcards: plan.code("check_model", *plan.models.code(plan.checks.model)),
    script:
        "../scripts/check_model.py"
