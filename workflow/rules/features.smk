"""Features: extract all layers that are needed in one forward pass per image (paper, section 3 and appendix C).

Needs:  stimuli/<set>.parquet with its images, the weights of the model, and for `features` the committed layers;
        with `projection.family: exact` the recordings, which say what images were shown
Makes:  features/<set>/<model>.zarr.zip  one float16 array per layer, randomly projected if the layer has more
                                         features than `dimensions`; or exact kernels, which are the Gram matrix
                                         of each layer between these images
        sweeps/<set>/<model>.zarr.zip    the same for all candidate layers of a reference model; temporary
"""


rule features:
    """Extract the features of the committed layers of one model."""
    input:
        lambda wildcards: plan.models.weights(wildcards.model),
        ancient(lambda wildcards: plan.models.downloaded(wildcards.model)),
        stimuli="<results>/stimuli/{stimuli}.parquet",
        recordings=lambda wildcards: plan.alignment.kernel_recordings(wildcards.stimuli),
        commitments=lambda wildcards: plan.alignment.commitments(wildcards.stimuli, wildcards.model),
    output:
        store="<results>/features/{stimuli}/{model}.zarr.zip",
    log:
        "<logs>/features/{stimuli}/{model}.log",
    benchmark:
        "<benchmarks>/features/{stimuli}/{model}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * plan.limits.features(wildcards.stimuli, wildcards.model).mb,
        runtime=lambda wildcards: plan.limits.features(wildcards.stimuli, wildcards.model).minutes,
        gpu=1,
        batch_size=plan.study.features.batch_size,
        scratch_gb=plan.study.features.scratch_gb,
    params:
        model=lambda wildcards: plain(plan.models.inventory[wildcards.model]),
        images=lambda wildcards: plain(plan.study.stimuli[wildcards.stimuli].files),
        projection=plain(plan.study.features.projection),
        best_subjects=lambda wildcards: plain(plan.alignment.kernel_subjects(wildcards.stimuli)),
        precision=plan.study.features.precision,
        made_of=lambda wildcards: plan.models.weights_contents(wildcards.model),
        code=lambda wildcards: plan.code("features", *plan.models.code(wildcards.model)),
    script:
        "../scripts/features.py"


use rule features as sweep_features with:
    input:
        lambda wildcards: plan.models.weights(wildcards.model),
        ancient(lambda wildcards: plan.models.downloaded(wildcards.model)),
        stimuli="<results>/stimuli/{stimuli}.parquet",
        recordings=lambda wildcards: plan.alignment.kernel_recordings(wildcards.stimuli),
    output:
        store=temp("<results>/sweeps/{stimuli}/{model}.zarr.zip"),
    log:
        "<logs>/sweep_features/{stimuli}/{model}.log",
    benchmark:
        "<benchmarks>/sweep_features/{stimuli}/{model}.tsv"
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * plan.limits.sweep_features(wildcards.stimuli, wildcards.model).mb,
        runtime=lambda wildcards: plan.limits.sweep_features(wildcards.stimuli, wildcards.model).minutes,
        gpu=1,
        batch_size=plan.study.features.batch_size,
        scratch_gb=plan.study.features.scratch_gb,
