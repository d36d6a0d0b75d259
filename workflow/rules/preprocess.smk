"""Read released files, and make recordings and stimulus tables (paper, section 3 and appendix A).

Needs:  the raw folder of each dataset and stimulus set of the config
Makes:  neural/<dataset>/<subject>.h5   responses, noise ceilings and ROIs of one subject
        stimuli/<set>.parquet           ids and content hashes of the images, in the order of the rows of feature stores
"""


rule preprocess:
    """Read one subject from the released files."""
    input:
        lambda wildcards: plan.data.raw_inputs(wildcards.dataset, wildcards.subject),
        ancient(
            lambda wildcards: plan.inputs.downloaded(
                plan.data.raw_files(wildcards.dataset, wildcards.subject)
            )
        ),
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
        reader=lambda wildcards: place(plan.data.datasets[wildcards.dataset].reader),
        path=lambda wildcards: place(plan.data.datasets[wildcards.dataset].path),
        options=lambda wildcards: plan.data.options(wildcards.dataset),
        made_of=lambda wildcards: plan.data.raw_contents(wildcards.dataset, wildcards.subject),
        code=lambda wildcards: plan.code("preprocess", plan.data.reader_file(wildcards.dataset)),
    script:
        "../scripts/preprocess.py"


rule stimuli:
    """Make the table of the images of a stimulus set."""
    input:
        lambda wildcards: plan.data.stimulus_path(wildcards.stimuli),
        ancient(lambda wildcards: plan.inputs.downloaded([plan.study.stimuli[wildcards.stimuli].path])),
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
        made_of=lambda wildcards: plan.data.image_contents(wildcards.stimuli),
        code=plan.code("stimuli"),
    script:
        "../scripts/stimuli.py"
