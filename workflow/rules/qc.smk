"""Quality control: tables of the neural data that a person should see before trusting a score (paper, Table S1, figures S1 to S8).

Needs:  recordings
Makes:  qc/noise_ceilings/<dataset>.parquet  noise ceiling of every examined unit, per subject and ROI
        tables/datasets.parquet, .csv, .md   stimuli, subjects, ROIs, units and mean noise ceilings of the study and the paper
        qc/subjects.parquet                  subjects, ranked by their mean noise ceiling, and which of them are scored
        qc/released_units.parquet            released statistics, and the same statistics from single trials, per unit
        qc/released.parquet                  agreement of these statistics, per dataset and subject
"""


rule noise_ceilings:
    """Collect the noise ceilings of one dataset."""
    input:
        recordings=lambda wildcards: plan.data.recordings(wildcards.dataset),
    output:
        table="<results>/qc/noise_ceilings/{dataset}.parquet",
    log:
        "<logs>/noise_ceilings/{dataset}.log",
    benchmark:
        "<benchmarks>/noise_ceilings/{dataset}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        best_subjects=lambda wildcards: plain(plan.data.datasets[wildcards.dataset].best_subjects),
        code=plan.code("noise_ceilings"),
    script:
        "../scripts/noise_ceilings.py"


rule dataset_table:
    """Compare the datasets of the study with the datasets of the paper, and released with recomputed statistics."""
    input:
        recordings=plan.data.recordings(*plan.data.datasets),
    output:
        table="<results>/tables/datasets.parquet",
        csv="<results>/tables/datasets.csv",
        markdown="<results>/tables/datasets.md",
        subjects="<results>/qc/subjects.parquet",
        released_units="<results>/qc/released_units.parquet",
        released="<results>/qc/released.parquet",
    log:
        "<logs>/dataset_table.log",
    benchmark:
        "<benchmarks>/dataset_table.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        labels=plan.data.labels,
        modalities=plan.data.modalities,
        paper=plan.data.paper_counts,
        best_subjects={name: plain(dataset.best_subjects) for name, dataset in plan.data.datasets.items()},
        code=plan.code("dataset_table"),
    script:
        "../scripts/dataset_table.py"
