"""Scaling laws of a published score table with 993 models on five benchmarks (Gokce & Schrimpf 2025). No raw data are needed.

Needs:  the table at `scores: path`; at the path of config/spvvs.yaml it is downloaded if it is missing
Makes:  fits/spvvs.parquet          one row per experiment
        fits/spvvs.curves.parquet   fitted curves with 95 % bootstrap bands
        fits/spvvs.points.parquet   the models to which each law was fitted
"""


localrules:
    download_scores,


rule download_scores:
    """Download the published score table."""
    output:
        scores=DOWNLOADED_SCORES,
    log:
        "<logs>/download_scores.log",
    benchmark:
        "<benchmarks>/download_scores.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        url=lambda wildcards: plan.study.scores.url,
        sha256=lambda wildcards: plan.study.scores.sha256,
        code=plan.code("download_scores"),
    script:
        "../scripts/download_scores.py"


rule fit_scores:
    """Fit the experiments of the published score table."""
    input:
        scores=ancient(lambda wildcards: plan.study.scores.path),
    output:
        fits="<results>/fits/spvvs.parquet",
        curves="<results>/fits/spvvs.curves.parquet",
        points="<results>/fits/spvvs.points.parquet",
    log:
        "<logs>/fit_scores.log",
    benchmark:
        "<benchmarks>/fit_scores.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards: plan.limits.fit_scores().mb,
        runtime=lambda wildcards: plan.limits.fit_scores().minutes,
    params:
        experiments=lambda wildcards: plan.study.scores.experiments,
        bootstraps=lambda wildcards: plan.study.scores.bootstraps,
        seed=lambda wildcards: plan.study.scores.seed,
        made_of=lambda wildcards: plan.score_contents,
        code=plan.code("fit_scores"),
    script:
        "../scripts/fit_scores.py"
