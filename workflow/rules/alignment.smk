"""Alignment: search and commit layers on the training split, and score models on the test split (paper, section 3).

One job scores all datasets of a stimulus set. It reads the features once, and datasets with the same images share the kernels of a
layer.

Needs:  recordings, stimulus tables and feature stores
Makes:  prepared/<stimuli>.h5                      values that depend only on responses: geometries for RSA and CKA, reduced ROIs
        layer_search/<stimuli>/<model>.parquet     every candidate layer of a reference model x dataset x subject x ROI
        commitments/<stimuli>/<model>.json         one layer per dataset and ROI, and its margin over the next best
        alignment/<stimuli>/<model>.parquet        scores per dataset x subject x ROI at the committed layers
        alignment/<stimuli>/<model>.units.parquet  the same per unit
"""


rule prepare_responses:
    """Prepare the responses to a stimulus set once for all layers of all models."""
    input:
        stimuli="<results>/stimuli/{stimuli}.parquet",
        recordings=lambda wildcards: plan.data.recordings(*plan.data.datasets_on(wildcards.stimuli)),
    output:
        prepared="<results>/prepared/{stimuli}.h5",
    log:
        "<logs>/prepare_responses/{stimuli}.log",
    benchmark:
        "<benchmarks>/prepare_responses/{stimuli}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * plan.limits.prepare_responses(wildcards.stimuli).mb,
        runtime=lambda wildcards: plan.limits.prepare_responses(wildcards.stimuli).minutes,
        gpu=1,
    params:
        datasets=lambda wildcards: plain(plan.data.targets(wildcards.stimuli)),
        splits=plan.study.metrics.similarity,
        code=plan.code("prepare_responses"),
    script:
        "../scripts/prepare_responses.py"


rule layer_search:
    """Score every candidate layer of a reference model by nested cross-validation."""
    input:
        features="<results>/sweeps/{stimuli}/{model}.zarr.zip",
        stimuli="<results>/stimuli/{stimuli}.parquet",
        recordings=lambda wildcards: plan.data.recordings(*plan.data.datasets_on(wildcards.stimuli)),
        prepared=ancient("<results>/prepared/{stimuli}.h5"),  # its date does not matter: recordings are inputs as well
    output:
        table="<results>/layer_search/{stimuli}/{model}.parquet",
    log:
        "<logs>/layer_search/{stimuli}/{model}.log",
    benchmark:
        "<benchmarks>/layer_search/{stimuli}/{model}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * plan.limits.layer_search(wildcards.stimuli, wildcards.model).mb,
        runtime=lambda wildcards: plan.limits.layer_search(wildcards.stimuli, wildcards.model).minutes,
        gpu=1,
    params:
        model=lambda wildcards: wildcards.model,
        datasets=lambda wildcards: plain(plan.data.targets(wildcards.stimuli)),
        ridge=plain(plan.study.ridge),
        code=plan.code("layer_search"),
    script:
        "../scripts/layer_search.py"


rule commit_layers:
    """Commit one layer per dataset and ROI."""
    input:
        table="<results>/layer_search/{stimuli}/{model}.parquet",
    output:
        commitments="<results>/commitments/{stimuli}/{model}.json",
    log:
        "<logs>/commit_layers/{stimuli}/{model}.log",
    benchmark:
        "<benchmarks>/commit_layers/{stimuli}/{model}.tsv"
    localrule: True
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards: plan.limits.commit_layers().mb,
        runtime=lambda wildcards: plan.limits.commit_layers().minutes,
    params:
        model=lambda wildcards: wildcards.model,
        code=plan.code("commit_layers"),
    script:
        "../scripts/commit_layers.py"


rule alignment:
    """Score one model on the test split of every dataset of a stimulus set."""
    input:
        features="<results>/features/{stimuli}/{model}.zarr.zip",
        stimuli="<results>/stimuli/{stimuli}.parquet",
        recordings=lambda wildcards: plan.data.recordings(*plan.data.datasets_on(wildcards.stimuli)),
        prepared="<results>/prepared/{stimuli}.h5",
        truths=lambda wildcards: plan.data.truths(wildcards.stimuli),
        commitments=lambda wildcards: plan.alignment.commitments(wildcards.stimuli, wildcards.model),
    output:
        table="<results>/alignment/{stimuli}/{model}.parquet",
        units="<results>/alignment/{stimuli}/{model}.units.parquet",
    log:
        "<logs>/alignment/{stimuli}/{model}.log",
    benchmark:
        "<benchmarks>/alignment/{stimuli}/{model}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * plan.limits.alignment(wildcards.stimuli, wildcards.model).mb,
        runtime=lambda wildcards: plan.limits.alignment(wildcards.stimuli, wildcards.model).minutes,
        gpu=1,
    params:
        model=lambda wildcards: wildcards.model,
        datasets=lambda wildcards: plain(plan.data.targets(wildcards.stimuli)),
        ridge=plain(plan.study.ridge),
        metrics=plain(plan.study.metrics),
        code=plan.code("alignment"),
    script:
        "../scripts/alignment.py"
