"""How the study trains what it fits to responses, beside the values of the paper.

Makes:  tables/tableS3.*              fine-tuning: the first recipe, and what differs in the others
        tables/tableS5.*, tableS6.*   readouts: attention by default, and what differs between datasets
"""


rule hyperparameters:
    """Listing the hyper-parameters beside those of the paper."""
    output:
        **{
            f"{name}_{kind}": f"<results>/tables/{name}.{kind}"
            for name in plan.tables.hyperparameters
            for kind in ("parquet", "csv", "md")
        },
    log:
        "<logs>/hyperparameters.log",
    benchmark:
        "<benchmarks>/hyperparameters.tsv"
    localrule: True
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        tables=plan.tables.hyperparameters,
        code=plan.code("hyperparameters"),
    script:
        "../scripts/hyperparameters.py"
