"""Prediction of the time, memory and disk space of a study: `snakemake estimate [--configfile config/paper.yaml]`.

Needs:  the config
Makes:  qc/estimate.txt, and the same text on the terminal. The file is not an output of the rule, for the reason in check.smk
"""


rule estimate:
    """Predict the time, memory and disk space of every stage."""
    log:
        "<logs>/estimate.log",
    localrule: True
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        config=config,
        file=f"{plan.results}/qc/estimate.txt",
        code=plan.code("estimate"),
    script:
        "../scripts/estimate.py"
