"""The report, which shows all results of a study on one page.

Needs:  figures, tables, fits
Makes:  tables/cost.parquet, .csv, .md   time and memory of every stage
        report.html                      figures with captions, tables, quality, costs, origins; opens without a network
"""


localrules:
    cost,
    report,


rule cost:
    """Sum the time and memory of every stage."""
    input:
        plan.pages.tables,
        plan.figures.files("csv"),
    output:
        table="<results>/tables/cost.parquet",
        csv="<results>/tables/cost.csv",
        markdown="<results>/tables/cost.md",
    log:
        "<logs>/cost.log",
    benchmark:
        "<benchmarks>/cost.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        benchmarks=lambda wildcards: place(f"{plan.results}/benchmarks"),
        code=plan.code("cost"),
    script:
        "../scripts/cost.py"


rule report:
    """Make the report."""
    input:
        plan.figures.files("png", "csv"),
        plan.pages.assets,
        tables=[*plan.pages.tables, "<results>/tables/cost.parquet"],
        checks=plan.pages.checks,
        fits=plan.pages.laws,
    output:
        page="<results>/report.html",
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        config=plan.study.model_dump(mode="json"),
        labels=plan.data.labels,
        figures=plain(plan.figures.drawings),
        pages=[name for name in plan.pages.names if name != "report.html"],
        code=plan.code("report"),
    script:
        "../scripts/report.py"
