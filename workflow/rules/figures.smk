"""Tables of scores, scaling laws and figures (paper, sections 3 and 4).

Needs:  alignment and layer-search tables, model cards; the tables of fine-tuning and mapping
Makes:  tables/pretraining.parquet    all scores with the model's pretraining, in the columns of the published table
        tables/layer_search.parquet   all layer scores
        fits/<axis>.parquet           scaling laws of one axis, all families x benchmarks; <axis>.curves.parquet has
                                      the curves, and <axis>.points.parquet the points
        fits/<axis>.<metric>.parquet  the same for another metric, such as rsa_c_test
        fits/model_and_data.parquet   scaling laws of parameters and samples together, and the compute-optimal split
        tables/table2.*, tableS4.*    readouts at the largest percentage, and the limits of their laws
        figures/<figure>.*            pdf, png, svg, and csv of every plotted number; `snakemake list_figures` prints all names
"""

from cortexscale.datasets.registry import FACTS_FILES


rule collect_pretraining:
    """Collect the scores of all models in one table."""
    input:
        alignment=expand(
            "<results>/alignment/{stimuli}/{model}.parquet",
            stimuli=plan.data.stimuli,
            model=plan.models.inventory,
        ),
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
    """Collect the layer scores of all reference models in one table."""
    input:
        searches=expand(
            "<results>/layer_search/{stimuli}/{model}.parquet",
            stimuli=plan.data.stimuli,
            model=plan.alignment.searched,
        ),
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
    """Fit the scaling laws of one axis."""
    input:
        table=lambda wildcards: plan.fits.table(wildcards.fit),
    output:
        fits="<results>/fits/{fit}.parquet",
        curves="<results>/fits/{fit}.curves.parquet",
        points="<results>/fits/{fit}.points.parquet",
    log:
        "<logs>/fit/{fit}.log",
    benchmark:
        "<benchmarks>/fit/{fit}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards: plan.limits.fit(wildcards.fit).mb,
        runtime=lambda wildcards: plan.limits.fit(wildcards.fit).minutes,
    params:
        axis=lambda wildcards: plan.fits.axis(wildcards.fit),
        form=lambda wildcards: plan.fits.form(wildcards.fit),
        settings=lambda wildcards: plain(plan.fits.resampling(wildcards.fit)),
        metric=lambda wildcards: plan.fits.metric(wildcards.fit),
        code=plan.code("fit"),
    script:
        "../scripts/fit.py"


rule fit_model_and_data:
    """Fit laws of parameters and samples together, and find the compute-optimal split."""
    input:
        table="<results>/tables/pretraining.parquet",
    output:
        fits="<results>/fits/model_and_data.parquet",
        curves="<results>/fits/model_and_data.curves.parquet",
        points="<results>/fits/model_and_data.points.parquet",
    log:
        "<logs>/fit_model_and_data.log",
    benchmark:
        "<benchmarks>/fit_model_and_data.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=4000,
        runtime="4h",
    params:
        settings=plain(plan.fits.resampling()),
        code=plan.code("fit_model_and_data"),
    script:
        "../scripts/fit_model_and_data.py"


rule readout_tables:
    """Make the tables that compare readouts."""
    input:
        table="<results>/tables/mapping.parquet",
        fits="<results>/fits/mapping.parquet",
    output:
        table2=collect("<results>/tables/table2.{kind}", kind=["csv", "md", "parquet"]),
        tableS4=collect("<results>/tables/tableS4.{kind}", kind=["csv", "md", "parquet"]),
    log:
        "<logs>/readout_tables.log",
    benchmark:
        "<benchmarks>/readout_tables.tsv"
    localrule: True
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        labels=plan.data.labels,
        averages=plain(plan.study.fits.averages),
        code=plan.code("readout_tables"),
    script:
        "../scripts/readout_tables.py"


rule figure:
    """Draw one figure."""
    input:
        tables=lambda wildcards: plan.figures.tables(wildcards.figure),
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
        drawing=lambda wildcards: plain(plan.figures.gallery.drawing(wildcards.figure)),
        code=lambda wildcards: plan.code(
            "figure", plan.figures.gallery.drawing(wildcards.figure).module, *FACTS_FILES
        ),
    script:
        "../scripts/figure.py"


rule list_figures:
    """List every figure of the study."""
    log:
        "<logs>/list_figures.log",
    localrule: True
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        figures=lambda wildcards: plan.figures.gallery.listing(),
        code=plan.code("list_figures"),
    script:
        "../scripts/list_figures.py"
