"""Released files -> Recordings and stimulus tables (paper, section 3 and appendix A).

Needs:  the raw folder of each dataset and stimulus set of the config
Makes:  neural/<dataset>/<subject>.h5   responses, noise ceilings and ROIs of one subject
        stimuli/<set>.parquet           ids and content hashes of the images, in the order of every feature store
"""


rule preprocess:
    """Reading one subject from the released files."""
    input:
        lambda wildcards: plan.data.raw_inputs(wildcards.dataset, wildcards.subject),
    output:
        recording="<results>/neural/{dataset}/{subject}.h5",
    log:
        "<logs>/preprocess/{dataset}/{subject}.log",
    benchmark:
        "<benchmarks>/preprocess/{dataset}/{subject}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * plan.limits.preprocess(wildcards.dataset, wildcards.subject).mb,
        runtime=lambda wildcards: plan.limits.preprocess(wildcards.dataset, wildcards.subject).minutes,
    params:
        dataset=lambda wildcards: wildcards.dataset,
        subject=lambda wildcards: wildcards.subject,
        reader=lambda wildcards: plan.data.datasets[wildcards.dataset].reader,
        path=lambda wildcards: plan.data.datasets[wildcards.dataset].path,
        options=lambda wildcards: plan.data.options(wildcards.dataset),
        code=lambda wildcards: plan.code("preprocess", plan.data.reader_file(wildcards.dataset)),
    script:
        "../scripts/preprocess.py"


# Released images do not change, but the times of their folder do, and must not cause a new extraction of all features.
# (Extraction compares each image with its hash.) Simulated images do change.
released = (lambda images: images) if plan.study.simulation else ancient


rule stimuli:
    """Listing the images of a stimulus set."""
    input:
        released(lambda wildcards: plan.data.stimulus_path(wildcards.stimuli)),
    output:
        table="<results>/stimuli/{stimuli}.parquet",
    log:
        "<logs>/stimuli/{stimuli}.log",
    benchmark:
        "<benchmarks>/stimuli/{stimuli}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=lambda wildcards: plan.limits.stimuli(wildcards.stimuli).mb,
        runtime=lambda wildcards: plan.limits.stimuli(wildcards.stimuli).minutes,
    params:
        images=lambda wildcards: plain(plan.study.stimuli[wildcards.stimuli].files),
        code=plan.code("stimuli"),
    script:
        "../scripts/stimuli.py"
