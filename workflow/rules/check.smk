"""Checks that a person asks for: `snakemake check_data`, `snakemake check_dataset --config dataset=NAME`.

Needs:  the config; with a simulation, its files. Released files may be missing: that is what is reported
Makes:  qc/check_data.txt, qc/check_dataset_<dataset>.txt, and the same text on the terminal. They are no outputs: a rule
        without any (nor a benchmark) runs whenever it is asked for, and its report stays when it fails
"""


rule check_data:
    """Comparing the raw files with what was released."""
    input:
        lambda wildcards: plan.simulated_inputs(plan.datasets),
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
        datasets={name: dataset.model_dump(mode="json") for name, dataset in plan.datasets.items()},
        stimuli={name: images.model_dump(mode="json") for name, images in plan.study.stimuli.items()},
        missing=lambda wildcards: plan.missing_files_of_models(),
        checksums=plan.checks.checksums,
        report=f"{plan.results}/qc/check_data.txt",
        code=plan.code("check_data"),
    script:
        "../scripts/check_data.py"


rule check_dataset:
    """Running the whole interface of a dataset module on its raw files."""
    input:
        lambda wildcards: plan.simulated_inputs([plan.checks.dataset]),
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
        entry=lambda wildcards: plan.datasets[plan.checks.dataset].model_dump(mode="json"),
        images=lambda wildcards: plan.study.stimuli[plan.datasets[plan.checks.dataset].stimuli].model_dump(
            mode="json"
        ),
        report=lambda wildcards: f"{plan.results}/qc/check_dataset_{plan.checks.dataset}.txt",
        code=plan.code("check_dataset"),
    script:
        "../scripts/check_dataset.py"
