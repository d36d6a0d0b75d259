"""Tables of the hyper-parameters of fine-tuning and trained readouts, next to the hyper-parameters of the paper.

Makes:  tables/tableS3.*              fine-tuning: the first recipe, and the keys that differ in the others
        tables/tableS5.*, tableS6.*   readouts: the default recipe of attention, and the keys that differ between datasets
"""

from cortexscale.code import PACKAGE
from cortexscale.datasets.registry import FACTS_FILES


rule hyperparameters:
    """Make the tables that compare the hyper-parameters of the study with the hyper-parameters of the paper."""
    output:
        **{
            name: collect(
                f"<results>/tables/{name}.{{kind}}",
                kind=["csv", "md", "parquet"] if name in plan.tables.hyperparameters else [],
            )
            for name in ("tableS3", "tableS5", "tableS6")
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
        finetuned=plain(plan.tables.finetuned),
        attention=plain(plan.tables.attention),
        readouts=plain(plan.tables.readouts),
        readers={name: entry.reader for name, entry in plan.data.datasets.items()},
        labels=plan.data.labels,
        code=plan.code("hyperparameters", PACKAGE / "hyperparameters.tsv", *FACTS_FILES),
    script:
        "../scripts/hyperparameters.py"
