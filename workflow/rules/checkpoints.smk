"""Downloads of missing published checkpoints (Gokce & Schrimpf 2025).

Existing files have no rule, so they are never downloaded again. `snakemake --until download_checkpoint` downloads the others. With
`--resources downloads=4`, four are downloaded at a time.

Needs:  a network connection; on a cluster, only the machine that submits jobs needs it
Makes:  <folder>/<model>/ep<epoch>.pt   as published
"""


rule download_checkpoint:
    """Download one published checkpoint."""
    output:
        weights=f"{plan.models.checkpoint_folder}/{{model}}/ep{{epoch}}.pt",
    log:
        "<logs>/download_checkpoint/{model}/ep{epoch}.log",
    benchmark:
        "<benchmarks>/download_checkpoint/{model}/ep{epoch}.tsv"
    wildcard_constraints:
        model="|".join(map(re.escape, plan.models.downloads.values())),
        epoch=r"\d+",
    localrule: True
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards: plan.limits.download_checkpoint(wildcards.model).mb,
        runtime="6h",
        downloads=1,
    params:
        model=lambda wildcards: wildcards.model,
        epoch=lambda wildcards: int(wildcards.epoch),
        code=plan.code("download_checkpoint"),
    script:
        "../scripts/download_checkpoint.py"
