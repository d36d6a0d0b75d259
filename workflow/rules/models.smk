"""Models: train the controlled suite, and describe every model (paper, appendix B).

Needs:  labelled images for the training of a suite; the cards need nothing
Makes:  models/<model>.pt             weights of a suite model
        models/<model>.training.json  how it was trained, its accuracy and cost
        models/<model>.training_set.parquet  the images that it was trained on
        models/cards.parquet          parameters, forward FLOPs and pretraining of every model, before any training
        tables/model_cards.parquet, .csv    the same with samples, compute and accuracy from training reports
        tables/models.parquet, .csv, .md    the inventory by family (Table S2)
"""


rule train_backbone:
    """Train one model of a suite."""
    input:
        lambda wildcards: plan.data.inputs.simulated([plan.models.suite(wildcards.model).images]),
        base=lambda wildcards: plan.models.base_weights(wildcards.model),
    output:
        weights="<results>/models/{model}.pt",
        report="<results>/models/{model}.training.json",
        training_set="<results>/models/{model}.training_set.parquet",
    log:
        "<logs>/train_backbone/{model}.log",
    benchmark:
        "<benchmarks>/train_backbone/{model}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * plan.limits.train_backbone(wildcards.model).mb,
        runtime=lambda wildcards: plan.limits.train_backbone(wildcards.model).minutes,
        gpu=plan.study.training.gpus,
    params:
        model=lambda wildcards: plain(plan.models.inventory[wildcards.model]),
        recipe=lambda wildcards: plain(plan.models.recipe(wildcards.model)),
        images=lambda wildcards: place(plan.models.suite(wildcards.model).images),
        made_of=lambda wildcards: plan.data.inputs.names(plan.models.suite(wildcards.model).images),
        code=plan.code("train_backbone", "cortexscale.models.sources.known"),
    script:
        "../scripts/train_backbone.py"


rule model_cards:
    """Count the parameters and FLOPs of every architecture."""
    output:
        cards="<results>/models/cards.parquet",
    log:
        "<logs>/model_cards.log",
    benchmark:
        "<benchmarks>/model_cards.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards: plan.limits.model_cards().mb,
        runtime=lambda wildcards: plan.limits.model_cards().minutes,
    params:
        models=plain(list(plan.models.inventory.values())),
        fitted=plan.models.fitted,
        code=plan.code("model_cards", *plan.models.code(*plan.models.inventory)),
    script:
        "../scripts/model_cards.py"


rule model_table:
    """Add training reports to the cards of models, and summarise the cards by family."""
    input:
        counted="<results>/models/cards.parquet",
        reports=plan.models.training_reports,
        scores=[ancient(plan.study.scores.path)] if plan.study.scores else [],
    output:
        cards="<results>/tables/model_cards.parquet",
        cards_csv="<results>/tables/model_cards.csv",
        table="<results>/tables/models.parquet",
        csv="<results>/tables/models.csv",
        markdown="<results>/tables/models.md",
    log:
        "<logs>/model_table.log",
    benchmark:
        "<benchmarks>/model_table.tsv"
    localrule: True
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        made_of=plan.score_contents,
        code=plan.code("model_table"),
    script:
        "../scripts/model_table.py"
