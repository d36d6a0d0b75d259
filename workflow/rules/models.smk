"""Models: training the controlled suite, and what is known of every model (paper, appendix B).

Needs:  labelled images (suite), checkpoints (spvvs), or nothing (timm fetches its weights)
Makes:  models/<model>.pt             weights of a suite model
        models/<model>.training.json  its training set, accuracy and cost
        models/cards.parquet          parameters, forward FLOPs and pretraining of every model
"""


rule train_backbone:
    """Training one model of a suite."""
    input:
        images=plan.task_images,
    output:
        weights="<results>/models/{model}.pt",
        report="<results>/models/{model}.training.json",
    log:
        "<logs>/train_backbone/{model}.log",
    benchmark:
        "<benchmarks>/train_backbone/{model}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=4000,
        runtime="2h",
        gpu=1,
    params:
        model=lambda wildcards: plan.models[wildcards.model].as_dict(),
        recipe=lambda wildcards: plan.recipe(wildcards.model),
        code=plan.code("train_backbone"),
    script:
        "../scripts/train_backbone.py"


rule model_cards:
    """Counting parameters and FLOPs of every architecture."""
    output:
        cards="<results>/models/cards.parquet",
    log:
        "<logs>/model_cards.log",
    benchmark:
        "<benchmarks>/model_cards.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=8000,
        runtime="1h",
    params:
        models=[model.as_dict() for model in plan.models.values()],
        code=plan.code("model_cards"),
    script:
        "../scripts/model_cards.py"
