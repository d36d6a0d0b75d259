"""Compare scores with projected features and with all activations, at the committed layers (paper, appendix C).

One job extracts the activations of a model once, and scores them without projection and with each projection.

Needs:  stimuli and their table, recordings, commitments, and the weights of the models
Makes:  projection/<stimuli>/<model>.parquet  scores per projection x dataset x subject x ROI
        tables/projection.parquet             the scores of all models, which figures S9 and S10 show
"""


rule projection_study:
    """Score one model with random projections and without projection."""
    input:
        lambda wildcards: plan.models.weights(wildcards.model),
        ancient(lambda wildcards: plan.models.downloaded(wildcards.model)),
        stimuli="<results>/stimuli/{stimuli}.parquet",
        recordings=lambda wildcards: plan.data.recordings(*plan.data.datasets_on(wildcards.stimuli)),
        prepared="<results>/prepared/{stimuli}.h5",
        commitments=lambda wildcards: plan.alignment.commitments(wildcards.stimuli, wildcards.model),
    output:
        table="<results>/projection/{stimuli}/{model}.parquet",
    log:
        "<logs>/projection_study/{stimuli}/{model}.log",
    benchmark:
        "<benchmarks>/projection_study/{stimuli}/{model}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * plan.limits.projection_study(wildcards.stimuli, wildcards.model).mb,
        runtime=lambda wildcards: plan.limits.projection_study(wildcards.stimuli, wildcards.model).minutes,
        gpu=1,
        batch_size=plan.study.features.batch_size,
        scratch_gb=plan.study.features.scratch_gb,
    params:
        model=lambda wildcards: plain(plan.models.inventory[wildcards.model]),
        images=lambda wildcards: plain(plan.study.stimuli[wildcards.stimuli].files),
        datasets=lambda wildcards: plain(plan.data.targets(wildcards.stimuli)),
        projections=lambda wildcards: plain(plan.alignment.projections(wildcards.model)),
        precision=plan.study.features.precision,
        ridge=plain(plan.study.ridge),
        made_of=lambda wildcards: plan.models.weights_contents(wildcards.model),
        code=lambda wildcards: plan.code("projection_study", *plan.models.code(wildcards.model)),
    script:
        "../scripts/projection_study.py"


rule collect_projection:
    """Collect the scores of all projections in one table."""
    input:
        scores=[
            f"{plan.results}/projection/{stimuli}/{model}.parquet"
            for stimuli, model in plan.alignment.projected
        ],
    output:
        table="<results>/tables/projection.parquet",
    log:
        "<logs>/collect_projection.log",
    benchmark:
        "<benchmarks>/collect_projection.tsv"
    localrule: True
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=plan.code("collect_projection"),
    script:
        "../scripts/collect_projection.py"
