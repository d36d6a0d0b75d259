"""Features: one forward pass per image serves every wanted layer (paper, section 3 and appendix C).

Needs:  stimuli/<set>.parquet with its images, the weights of the model, and for `features` the committed layers
Makes:  features/<set>/<model>.zarr.zip  one float16 array per layer, randomly projected where wider than that
        sweeps/<set>/<model>.zarr.zip    the same for all candidate layers of a reference model; temporary
"""


rule features:
    """Extracting the committed layers of one model."""
    input:
        stimuli="<results>/stimuli/{stimuli}.parquet",
        weights=lambda wildcards: plan.weights(wildcards.model),
        commitments=lambda wildcards: plan.commitments(wildcards.stimuli, wildcards.model),
    output:
        store="<results>/features/{stimuli}/{model}.zarr.zip",
    log:
        "<logs>/features/{stimuli}/{model}.log",
    benchmark:
        "<benchmarks>/features/{stimuli}/{model}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * plan.features_mb(layers=16),
        runtime=lambda wildcards: plan.features_minutes(wildcards.stimuli),
        gpu=1,
        batch_size=plan.study.features.batch_size,
    params:
        model=lambda wildcards: plan.models[wildcards.model].as_dict(),
        layout=lambda wildcards: plan.study.stimuli[wildcards.stimuli].layout,
        path=lambda wildcards: plan.study.stimuli[wildcards.stimuli].path,
        projection=plan.study.features.projection.model_dump(),
        code=plan.code("features"),
    script:
        "../scripts/features.py"


use rule features as sweep_features with:
    input:
        stimuli="<results>/stimuli/{stimuli}.parquet",
        weights=lambda wildcards: plan.weights(wildcards.model),
    output:
        store=temp("<results>/sweeps/{stimuli}/{model}.zarr.zip"),
    log:
        "<logs>/sweep_features/{stimuli}/{model}.log",
    benchmark:
        "<benchmarks>/sweep_features/{stimuli}/{model}.tsv"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * plan.features_mb(layers=64),
        runtime=lambda wildcards: 4 * plan.features_minutes(wildcards.stimuli),
        gpu=1,
        batch_size=plan.study.features.batch_size,
