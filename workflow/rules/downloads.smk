"""Downloads of missing files that the section `downloads` of the config names: recordings, images and weights.

Existing files have no rule, so they are never downloaded again. `snakemake --until download` downloads all that a run needs.

Needs:  a network connection; on a cluster, only the machine that submits jobs needs it
Makes:  <file>      as the section names it
"""


rule download:
    """Download one file."""
    output:
        file="{file}",
    log:
        "<logs>/download/{file}.log",
    benchmark:
        "<benchmarks>/download/{file}.tsv"
    wildcard_constraints:
        file="|".join(map(re.escape, plan.inputs.to_download)),
    localrule: True
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=1000,
        runtime="6h",
        downloads=1,
    params:
        url=lambda wildcards: plan.study.downloads[wildcards.file].url,
        sha256=lambda wildcards: plan.study.downloads[wildcards.file].sha256,
        code=plan.code("download"),
    script:
        "../scripts/download.py"
