"""The raw data of the demo study: labelled images, and recordings of a simulated brain whose true responses are known.

Needs:  nothing
Makes:  raw/task_images.npz              labelled images for the suite
        raw/things/object_images/        stimuli in the layout of THINGS
        raw/<dataset>/                   recordings in the released layouts, which the same readers read as real recordings
        raw/truth/<dataset>/             recordings of the noise-free responses, with true noise ceilings
"""

from cortexscale.datasets.registry import simulator_module


rule simulate_images:
    """Draw the labelled images and the stimuli in the layout of THINGS."""
    output:
        task="<results>/raw/task_images.npz",
        things=directory("<results>/raw/things/object_images"),
    log:
        "<logs>/simulate_images.log",
    benchmark:
        "<benchmarks>/simulate_images.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        image_size=plan.study.simulation.image_size,
        task_images=plan.study.simulation.task_images,
        validation_images=plan.study.simulation.validation_images,
        concepts=plan.study.simulation.things.concepts,
        images_per_concept=plan.study.simulation.things.images_per_concept,
        seed=plan.study.simulation.seed,
        code=plan.code("simulate_images"),
    script:
        "../scripts/simulate_images.py"


rule simulate_brain:
    """Train the network from whose layers the responses of higher simulated areas are made."""
    input:
        task="<results>/raw/task_images.npz",
    output:
        weights="<results>/raw/hidden_network.pt",
    log:
        "<logs>/simulate_brain.log",
    benchmark:
        "<benchmarks>/simulate_brain.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        steps=plan.study.simulation.hidden_network_steps,
        seed=plan.study.simulation.seed,
        code=plan.code("simulate_brain", "cortexscale.models.sources.known"),
    script:
        "../scripts/simulate_brain.py"


rule simulate_recordings:
    """Simulate the recordings of all subjects of one dataset."""
    input:
        weights="<results>/raw/hidden_network.pt",
        task="<results>/raw/task_images.npz",
        things="<results>/raw/things/object_images",
    output:
        released=directory("<results>/raw/{dataset}"),
        truth=directory("<results>/raw/truth/{dataset}"),
    log:
        "<logs>/simulate_recordings/{dataset}.log",
    benchmark:
        "<benchmarks>/simulate_recordings/{dataset}.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        dataset=lambda wildcards: wildcards.dataset,
        reader=lambda wildcards: plan.data.datasets[wildcards.dataset].reader,
        subjects=lambda wildcards: plan.data.datasets[wildcards.dataset].subjects,
        settings=lambda wildcards: plan.data.simulated[wildcards.dataset],
        image_size=plan.study.simulation.image_size,
        seed=plan.study.simulation.seed,
        code=lambda wildcards: plan.code(
            "simulate_recordings",
            simulator_module(plan.data.datasets[wildcards.dataset].reader),
            "cortexscale.models.sources.known",
        ),
    script:
        "../scripts/simulate_recordings.py"
