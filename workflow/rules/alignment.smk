"""Alignment: layers are searched and committed on the training split, scored on the test split (paper, section 3).

Needs:  recordings, stimulus tables and feature stores
Makes:  layer_search/<dataset>/<model>.parquet   every candidate layer of a reference model x subject x ROI
        commitments/<dataset>/<model>.json       one layer per ROI with its lead over the runner-up
        alignment/<dataset>/<model>.parquet      scores per subject x ROI at the committed layers
        alignment/<dataset>/<model>.units.parquet  the same per unit
"""


rule layer_search:
    """Scoring every candidate layer of a reference model by nested cross-validation."""
    input:
        features=lambda wildcards: f"<results>/sweeps/{plan.datasets[wildcards.dataset].stimuli}/{wildcards.model}.zarr.zip",
        stimuli=lambda wildcards: f"<results>/stimuli/{plan.datasets[wildcards.dataset].stimuli}.parquet",
        recordings=lambda wildcards: plan.recordings(wildcards.dataset),
    output:
        table="<results>/layer_search/{dataset}/{model}.parquet",
    log:
        "<logs>/layer_search/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/layer_search/{dataset}/{model}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * plan.ridge_mb(wildcards.dataset),
        runtime=lambda wildcards: plan.ridge_minutes(wildcards.dataset, layers=64),
        gpu=1,
    params:
        dataset=lambda wildcards: wildcards.dataset,
        model=lambda wildcards: wildcards.model,
        rois=lambda wildcards: plan.datasets[wildcards.dataset].rois,
        ridge=plan.study.ridge.model_dump(),
        code=plan.code("layer_search"),
    script:
        "../scripts/layer_search.py"


rule commit_layers:
    """Committing one layer per ROI."""
    input:
        table="<results>/layer_search/{dataset}/{model}.parquet",
    output:
        commitment="<results>/commitments/{dataset}/{model}.json",
    log:
        "<logs>/commit_layers/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/commit_layers/{dataset}/{model}.tsv"
    localrule: True
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        dataset=lambda wildcards: wildcards.dataset,
        model=lambda wildcards: wildcards.model,
        code=plan.code("commit_layers"),
    script:
        "../scripts/commit_layers.py"


rule alignment:
    """Scoring one model on the test split of one dataset."""
    input:
        features=lambda wildcards: f"<results>/features/{plan.datasets[wildcards.dataset].stimuli}/{wildcards.model}.zarr.zip",
        stimuli=lambda wildcards: f"<results>/stimuli/{plan.datasets[wildcards.dataset].stimuli}.parquet",
        recordings=lambda wildcards: plan.recordings(wildcards.dataset),
        commitment=lambda wildcards: f"<results>/commitments/{wildcards.dataset}/{plan.models[wildcards.model].reference}.json",
    output:
        table="<results>/alignment/{dataset}/{model}.parquet",
        units="<results>/alignment/{dataset}/{model}.units.parquet",
    log:
        "<logs>/alignment/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/alignment/{dataset}/{model}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * plan.ridge_mb(wildcards.dataset),
        runtime=lambda wildcards: plan.ridge_minutes(wildcards.dataset, layers=16),
        gpu=1,
    params:
        dataset=lambda wildcards: wildcards.dataset,
        model=lambda wildcards: wildcards.model,
        ridge=plan.study.ridge.model_dump(),
        code=plan.code("alignment"),
    script:
        "../scripts/alignment.py"
