"""Result tables that the authors of the paper published. With these, neither recordings nor models nor a GPU are needed.

Existing files have no rule that makes them, so they are never downloaded again.

Needs:  the parquet files in the folder of `published: path`; missing files are downloaded from `published: repo`
Makes:  <folder>/<file>.parquet    as published
        tables/pretraining.parquet, layer_search.parquet, finetuning.parquet, mapping.parquet   with our names of columns
"""

from cortexscale.datasets.registry import FACTS_FILES


ruleorder: import_published > collect_pretraining
ruleorder: import_published > collect_layer_search


rule download_published:
    """Download one published table."""
    output:
        table=f"{plan.study.published.path}/{{file}}.parquet",
    log:
        "<logs>/download_published/{file}.log",
    benchmark:
        "<benchmarks>/download_published/{file}.tsv"
    wildcard_constraints:
        file="|".join(plan.published.downloads.values()),
    localrule: True
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=1000,
        runtime="1h",
    params:
        repo=plan.study.published.repo,
        revision=plan.study.published.revision,
        code=plan.code("download_published"),
    script:
        "../scripts/download_published.py"


rule import_published:
    """Check one published table and rename its columns."""
    input:
        published=ancient(lambda wildcards: plan.published.file(wildcards.table)),
    output:
        table="<results>/tables/{table}.parquet",
    log:
        "<logs>/import_published/{table}.log",
    benchmark:
        "<benchmarks>/import_published/{table}.tsv"
    wildcard_constraints:
        table="|".join(FILES),
    localrule: True
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        name=lambda wildcards: wildcards.table,
        made_of=lambda wildcards: (
            []
            if plan.study.published.repo
            else plan.data.inputs.contents([plan.published.file(wildcards.table)])
        ),
        code=plan.code("import_published", *FACTS_FILES),
    script:
        "../scripts/import_published.py"
