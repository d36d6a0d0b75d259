"""Committed layers that the authors of the paper published, which replace a layer search.

Needs:  layer_commitments.json of their release
Makes:  commitments/<stimuli>/<model>.json  for the models in that file; the layers of other models are searched
"""


ruleorder: import_commitments > commit_layers


rule import_commitments:
    """Import the layers that the authors published."""
    output:
        commitments="<results>/commitments/{stimuli}/{model}.json",
    log:
        "<logs>/import_commitments/{stimuli}/{model}.log",
    benchmark:
        "<benchmarks>/import_commitments/{stimuli}/{model}.tsv"
    wildcard_constraints:
        model="|".join(map(re.escape, plan.alignment.published_layers)),
    localrule: True
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=4000,
        runtime=lambda wildcards: plan.limits.commit_layers().minutes,
    params:
        published=lambda wildcards: place(plan.study.layer_commitment.file),
        model=lambda wildcards: plain(plan.models.inventory[wildcards.model]),
        datasets=lambda wildcards: plan.alignment.published_datasets(wildcards.stimuli),
        made_of=plan.data.inputs.contents([plan.study.layer_commitment.file]),
        code=lambda wildcards: plan.code("import_commitments", *plan.models.code(wildcards.model)),
    script:
        "../scripts/import_commitments.py"
