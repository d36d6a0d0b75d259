"""From scores to figures (paper, sections 3 and 4).

Needs:  alignment and layer-search tables, model cards
Makes:  tables/pretraining.parquet    all scores with the model's pretraining, in the columns of the published table
        tables/layer_search.parquet   all layer scores
        fits/<axis>.parquet           scaling laws of one pretraining axis, all families x benchmarks; with
                                      <axis>.curves.parquet and <axis>.points.parquet, the models behind them
        figures/<figure>.*            pdf, png, svg, and csv of every plotted number
"""


rule collect_pretraining:
    """Putting the scores of all models in one table."""
    input:
        alignment=plan.per_alignment("{results}/alignment/{stimuli}/{model}.parquet"),
        cards="<results>/tables/model_cards.parquet",
    output:
        table="<results>/tables/pretraining.parquet",
    log:
        "<logs>/collect_pretraining.log",
    benchmark:
        "<benchmarks>/collect_pretraining.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        code=plan.code("collect_pretraining"),
    script:
        "../scripts/collect_pretraining.py"


rule collect_layer_search:
    """Putting the layer scores of all reference models in one table."""
    input:
        searches=plan.per_search("{results}/layer_search/{stimuli}/{model}.parquet"),
    output:
        table="<results>/tables/layer_search.parquet",
    log:
        "<logs>/collect_layer_search.log",
    benchmark:
        "<benchmarks>/collect_layer_search.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        code=plan.code("collect_layer_search"),
    script:
        "../scripts/collect_layer_search.py"


rule fit:
    """Fitting the scaling laws of one pretraining axis."""
    input:
        table="<results>/tables/pretraining.parquet",
    output:
        fits="<results>/fits/{axis}.parquet",
        curves="<results>/fits/{axis}.curves.parquet",
        points="<results>/fits/{axis}.points.parquet",
    log:
        "<logs>/fit/{axis}.log",
    benchmark:
        "<benchmarks>/fit/{axis}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=4000,
        runtime="4h",
    params:
        axis=lambda wildcards: wildcards.axis,
        form=lambda wildcards: plan.study.fits.axes[wildcards.axis],
        settings=plan.study.fits.model_dump(exclude={"axes"}),
        code=plan.code("fit"),
    script:
        "../scripts/fit.py"


rule figure:
    """Drawing one figure."""
    input:
        unpack(lambda wildcards: plan.figure_tables(wildcards.figure)),
    output:
        pdf="<results>/figures/{figure}.pdf",
        png="<results>/figures/{figure}.png",
        svg="<results>/figures/{figure}.svg",
        csv="<results>/figures/{figure}.csv",
    log:
        "<logs>/figure/{figure}.log",
    benchmark:
        "<benchmarks>/figure/{figure}.tsv"
    localrule: True
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        module=lambda wildcards: FIGURES[wildcards.figure].module,
        labels={name: dataset.label for name, dataset in plan.datasets.items()},
        code=lambda wildcards: plan.code("figure", f"cortexscale.figures.{FIGURES[wildcards.figure].module}"),
    script:
        "../scripts/figure.py"
