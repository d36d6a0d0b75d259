"""The mapping axis: fit readouts of unprojected features to growing numbers of stimuli (paper, sections 3 and 4.7 to 4.9).

One job fits a readout to a dataset at all percentages and seeds. An interrupted job continues where it stopped, because finished
parts are kept in mapping/<dataset>/.<readout>.parts until the job is done.

Needs:  recordings, stimulus tables, prepared responses, commitments, the weights of the model
Makes:  tokens/<set>/<model>.zarr.zip                   tokens of the committed layers, mean tokens of all candidates
        mapping/<dataset>/<readout>.parquet             scores per percentage x seed x subject x ROI
        mapping/<dataset>/<readout>.units.parquet       the same per unit, at the largest percentage
        mapping/<dataset>/<readout>.gates.parquet       weights of layers in a layer gate; no rows for other readouts
        readouts/<dataset>/<readout>/**.safetensors     readouts of the largest percentage and the first seed
        tables/mapping.parquet, tables/gates.parquet    the scores and gates of all readouts
"""


rule tokens:
    """Extract the tokens that readouts read, from the committed layers of the model."""
    input:
        lambda wildcards: plan.models.weights(wildcards.model),
        ancient(lambda wildcards: plan.models.downloaded(wildcards.model)),
        stimuli="<results>/stimuli/{stimuli}.parquet",
        recordings=lambda wildcards: plan.data.recordings(*plan.mapping.datasets_on(wildcards.stimuli)),
        commitments=lambda wildcards: plan.alignment.commitments(wildcards.stimuli, wildcards.model),
    output:
        store="<results>/tokens/{stimuli}/{model}.zarr.zip",
    log:
        "<logs>/tokens/{stimuli}/{model}.log",
    benchmark:
        "<benchmarks>/tokens/{stimuli}/{model}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * plan.limits.tokens(wildcards.stimuli).mb,
        runtime=lambda wildcards: plan.limits.tokens(wildcards.stimuli).minutes,
        gpu=1,
        batch_size=plan.study.features.batch_size,
    params:
        model=lambda wildcards: plain(plan.models.inventory[wildcards.model]),
        images=lambda wildcards: plain(plan.study.stimuli[wildcards.stimuli].files),
        best_subjects=lambda wildcards: plain(plan.mapping.token_subjects(wildcards.stimuli)),
        precision=plan.study.features.precision,
        made_of=lambda wildcards: plan.models.weights_contents(wildcards.model),
        code=lambda wildcards: plan.code("tokens", *plan.models.code(wildcards.model)),
    script:
        "../scripts/tokens.py"


rule mapping:
    """Fit one readout to all percentages of the stimuli of one dataset."""
    input:
        tokens=lambda wildcards: plan.mapping.path(
            "{results}/tokens/{stimuli}/{model}.zarr.zip", wildcards.dataset
        ),
        stimuli=lambda wildcards: plan.mapping.path("{results}/stimuli/{stimuli}.parquet", wildcards.dataset),
        recordings=lambda wildcards: plan.data.recordings(wildcards.dataset),
        prepared=lambda wildcards: plan.mapping.prepared(wildcards.dataset),
        commitments=lambda wildcards: plan.alignment.commitments(
            plan.data.datasets[wildcards.dataset].stimuli, plan.mapping.model
        ),
    output:
        **(
            {"readouts": directory("<results>/readouts/{dataset}/{readout}")}
            if plan.mapping.settings.save
            else {}
        ),
        scores="<results>/mapping/{dataset}/{readout}.parquet",
        units="<results>/mapping/{dataset}/{readout}.units.parquet",
        gates="<results>/mapping/{dataset}/{readout}.gates.parquet",
    log:
        "<logs>/mapping/{dataset}/{readout}.log",
    benchmark:
        "<benchmarks>/mapping/{dataset}/{readout}.tsv"
    wildcard_constraints:
        readout="|".join(plan.mapping.settings.readouts),
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * plan.limits.mapping(wildcards.dataset, wildcards.readout).mb,
        runtime=lambda wildcards: plan.limits.mapping(wildcards.dataset, wildcards.readout).minutes,
        gpu=1,
    params:
        dataset=lambda wildcards: wildcards.dataset,
        targets=lambda wildcards: plain(plan.data.datasets[wildcards.dataset].targets),
        recipe=lambda wildcards: plain(plan.mapping.recipe(wildcards.dataset, wildcards.readout)),
        shared=lambda wildcards: plan.mapping.shared(wildcards.readout),
        percents=plan.mapping.settings.percent,
        validation_fraction=plan.study.mapping.validation_fraction,
        seeds=plan.mapping.settings.seeds,
        ridge=plain(plan.study.ridge),
        code=plan.code("mapping"),
    script:
        "../scripts/mapping.py"


rule collect_mapping:
    """Collect the scores of all readouts in one table."""
    input:
        mappings=expand(
            "<results>/mapping/{dataset}/{readout}.parquet",
            dataset=plan.mapping.settings.datasets,
            readout=plan.mapping.settings.readouts,
        ),
        layer_gates=expand(
            "<results>/mapping/{dataset}/{readout}.gates.parquet",
            dataset=plan.mapping.settings.datasets,
            readout=plan.mapping.settings.readouts,
        ),
    output:
        table="<results>/tables/mapping.parquet",
        gates="<results>/tables/gates.parquet",
    log:
        "<logs>/collect_mapping.log",
    benchmark:
        "<benchmarks>/collect_mapping.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        code=plan.code("collect_mapping"),
    script:
        "../scripts/collect_mapping.py"
