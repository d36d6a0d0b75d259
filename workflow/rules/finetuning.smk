"""Neural fine-tuning: train models further on responses and on their task together (paper, sections 3 and 4.3 to 4.6).

Fine-tuned models and their base models are scored with all activations, whatever projection the study uses. One job extracts and
scores activations. Recordings are params and not inputs of this job, because inputs for hundreds of models times dozens of subjects
would take most of the time of a plan. The job waits for the prepared responses, which are made from all recordings.

Needs:  recordings, stimulus tables with their images, prepared responses, commitments and weights of base models, labelled images
Makes:  finetuning/split_images.parquet         images of the training and test stimuli of all recordings
        finetuning/heads/<model>/<dataset>/<subject>/<roi>.safetensors   frozen heads of a base model; <dataset>.parquet: scores
        finetuning/models/<model>.pt, .json             weights, and how they were trained
        finetuning/alignment/<set>/<model>.parquet      scores per dataset x subject x ROI; .units.parquet: per unit
        tables/finetuning.parquet                       all scores, one row per experiment that uses the model
"""


rule split_images:
    """List the images of the training and test stimuli of all recordings that models are fine-tuned on or scored on."""
    input:
        recordings=lambda wildcards: plan.data.recordings(*plan.finetuning.shown),
        stimuli=expand(
            "<results>/stimuli/{stimuli}.parquet", stimuli=sorted(set(plan.finetuning.shown.values()))
        ),
    output:
        table="<results>/finetuning/split_images.parquet",
    log:
        "<logs>/split_images.log",
    benchmark:
        "<benchmarks>/split_images.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        datasets=plan.finetuning.shown,
        code=plan.code("split_images"),
    script:
        "../scripts/split_images.py"


rule finetuning_heads:
    """Fit linear heads from the committed layers of a base model to the responses of a dataset."""
    input:
        lambda wildcards: plan.models.weights(wildcards.model),
        ancient(lambda wildcards: plan.models.downloaded(wildcards.model)),
        stimuli=lambda wildcards: plan.data.stimulus_table(wildcards.dataset),
        recordings=lambda wildcards: plan.data.recordings(wildcards.dataset),
        commitments=lambda wildcards: plan.alignment.commitments(
            plan.data.datasets[wildcards.dataset].stimuli, wildcards.model
        ),
        split_images=[plan.finetuning.split_images] if plan.finetuning.left_out else [],
    output:
        heads=directory("<results>/finetuning/heads/{model}/{dataset}"),
        table="<results>/finetuning/heads/{model}/{dataset}.parquet",
    log:
        "<logs>/finetuning_heads/{model}/{dataset}.log",
    benchmark:
        "<benchmarks>/finetuning_heads/{model}/{dataset}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * plan.limits.finetuning_heads(wildcards.model, wildcards.dataset).mb,
        runtime=lambda wildcards: plan.limits.finetuning_heads(wildcards.model, wildcards.dataset).minutes,
        gpu=1,
        batch_size=plan.study.features.batch_size,
    params:
        model=lambda wildcards: plain(plan.models.inventory[wildcards.model]),
        dataset=lambda wildcards: wildcards.dataset,
        images=lambda wildcards: plain(plan.data.images_of(wildcards.dataset)),
        targets=lambda wildcards: plain(plan.finetuning.head_targets(wildcards.model, wildcards.dataset)),
        left_out=plan.finetuning.left_out,
        precision=plan.study.features.precision,
        ridge=plain(plan.study.ridge),
        made_of=lambda wildcards: plan.models.weights_contents(wildcards.model),
        code=lambda wildcards: plan.code("finetuning_heads", *plan.models.code(wildcards.model)),
    script:
        "../scripts/finetuning_heads.py"


rule finetune:
    """Fine-tune one model. An interrupted job continues where it stopped."""
    input:
        lambda wildcards: plan.models.weights(plan.finetuning.base(wildcards.model).id),
        ancient(lambda wildcards: plan.models.downloaded(plan.finetuning.base(wildcards.model).id)),
        lambda wildcards: plan.data.inputs.simulated([plan.finetuning.images_of(wildcards.model) or ""]),
        base_report=lambda wildcards: plan.models.training_report(plan.finetuning.base(wildcards.model).id),
        heads=lambda wildcards: plan.finetuning.heads(wildcards.model),
        stimuli=lambda wildcards: plan.data.stimulus_table(plan.finetuning.dataset(wildcards.model)),
        recordings=lambda wildcards: plan.data.recordings(plan.finetuning.dataset(wildcards.model)),
        commitments=lambda wildcards: plan.finetuning.commitments(
            plan.data.datasets[plan.finetuning.dataset(wildcards.model)].stimuli, wildcards.model
        ),
        split_images=[plan.finetuning.split_images] if plan.finetuning.left_out else [],
    output:
        weights="<results>/finetuning/models/{model}.pt",
        card="<results>/finetuning/models/{model}.json",
    log:
        "<logs>/finetune/{model}.log",
    benchmark:
        "<benchmarks>/finetune/{model}.tsv"
    wildcard_constraints:
        model="|".join(map(re.escape, plan.finetuning.finetuned)),
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * plan.limits.finetune(wildcards.model).mb,
        runtime=lambda wildcards: plan.limits.finetune(wildcards.model).minutes,
        gpu=1,
    params:
        base=lambda wildcards: plain(plan.finetuning.base(wildcards.model)),
        tuning=lambda wildcards: plain(plan.finetuning.tunings[wildcards.model]),
        targets=lambda wildcards: plain(plan.finetuning.targets(wildcards.model)),
        images=lambda wildcards: plain(plan.data.images_of(plan.finetuning.dataset(wildcards.model))),
        recipe=lambda wildcards: plain(plan.finetuning.recipe(wildcards.model)),
        image_recipe=lambda wildcards: plain(
            plan.finetuning.image_recipe(plan.finetuning.base(wildcards.model).id)
        ),
        left_out=plan.finetuning.left_out,
        ridge=plain(plan.study.ridge),
        labelled_images=lambda wildcards: place(plan.finetuning.images_of(wildcards.model)),
        heads_code=plan.code("finetuning_heads"),
        made_of=lambda wildcards: plan.finetuning.contents(wildcards.model),
        code=lambda wildcards: plan.code(
            "finetune", *plan.models.code(plan.finetuning.base(wildcards.model).id)
        ),
    script:
        "../scripts/finetune.py"


rule finetuned_alignment:
    """Score a fine-tuned model or base model on the test split of every benchmark of a stimulus set."""
    input:
        lambda wildcards: plan.finetuning.weights(wildcards.model),
        stimuli="<results>/stimuli/{stimuli}.parquet",
        prepared="<results>/prepared/{stimuli}.h5",
        commitments=lambda wildcards: plan.finetuning.commitments(wildcards.stimuli, wildcards.model),
    output:
        table="<results>/finetuning/alignment/{stimuli}/{model}.parquet",
        units="<results>/finetuning/alignment/{stimuli}/{model}.units.parquet",
    log:
        "<logs>/finetuned_alignment/{stimuli}/{model}.log",
    benchmark:
        "<benchmarks>/finetuned_alignment/{stimuli}/{model}.tsv"
    wildcard_constraints:
        model="|".join(map(re.escape, plan.finetuning.evaluated)),
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * plan.limits.finetuned_alignment(wildcards.stimuli, wildcards.model).mb,
        runtime=lambda wildcards: plan.limits.finetuned_alignment(wildcards.stimuli, wildcards.model).minutes,
        gpu=1,
        batch_size=plan.study.features.batch_size,
        scratch_gb=plan.study.features.scratch_gb,
    params:
        model=lambda wildcards: plain(plan.finetuning.evaluated[wildcards.model]),
        images=lambda wildcards: plain(plan.study.stimuli[wildcards.stimuli].files),
        datasets=lambda wildcards: plain(plan.finetuning.scored(wildcards.stimuli)),
        recordings=lambda wildcards: [
            place(file) for file in plan.data.recordings(*plan.finetuning.benchmarks_on(wildcards.stimuli))
        ],
        precision=plan.study.features.precision,
        ridge=plain(plan.study.ridge),
        metrics=plain(plan.study.metrics),
        made_of=lambda wildcards: plan.models.weights_contents(plan.finetuning.base(wildcards.model).id),
        code=lambda wildcards: plan.code(
            "finetuned_alignment", *plan.models.code(plan.finetuning.base(wildcards.model).id)
        ),
    script:
        "../scripts/finetuned_alignment.py"


rule collect_finetuning:
    """Collect the scores of fine-tuned models in one table."""
    input:
        alignment=expand(
            "<results>/finetuning/alignment/{stimuli}/{model}.parquet",
            stimuli=plan.finetuning.stimuli,
            model=plan.finetuning.evaluated,
        ),
        tuned=expand("<results>/finetuning/models/{model}.json", model=plan.finetuning.finetuned),
        cards="<results>/tables/model_cards.parquet",
        split_images=plan.finetuning.split_images,
    output:
        table="<results>/tables/finetuning.parquet",
    log:
        "<logs>/collect_finetuning.log",
    benchmark:
        "<benchmarks>/collect_finetuning.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        models=plain(plan.finetuning.facts),
        left_out=plan.finetuning.left_out,
        code=plan.code("collect_finetuning"),
    script:
        "../scripts/collect_finetuning.py"
