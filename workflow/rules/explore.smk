"""The explore page, which shows scores and scaling laws in a browser.

Needs:  the tables of pretraining, fine-tuning and mapping that the study has, and their fits
Makes:  explore.html  scores by axis, metric, benchmark, ROI and family; opens without a network
"""

from cortexscale.datasets.registry import FACTS_FILES


localrules:
    explore,


rule explore:
    """Make the page that shows scores and scaling laws."""
    input:
        plan.pages.assets,
        tables=plan.pages.explored,
        fits=plan.pages.fits(),
        curves=plan.pages.fits(".curves"),
        points=plan.pages.fits(".points"),
    output:
        page="<results>/explore.html",
    log:
        "<logs>/explore.log",
    benchmark:
        "<benchmarks>/explore.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        study=plan.study.study,
        datasets=plain(plan.figures.datasets),
        averages=plain(plan.study.fits.averages),
        code=plan.code("explore", *FACTS_FILES),
    script:
        "../scripts/explore.py"
