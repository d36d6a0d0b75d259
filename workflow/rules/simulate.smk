"""The demo study's raw data: pictures of labelled objects, and recordings of a brain whose truth is known.

Needs:  nothing
Makes:  raw/task_images.npz              labelled images for the suite
        raw/things/object_images/        stimuli in the layout of THINGS
        raw/tvsd/, raw/nsd/              recordings in the released layouts, read back by the readers of the real ones
        raw/truth/                       noise-free responses with true ceilings, and the features that generate them
"""


rule simulate_images:
    """Painting the task images and the THINGS-like stimuli."""
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
        simulation=plan.study.simulation.model_dump(exclude={"nsd", "hidden_network_steps"}),
        code=plan.code("simulate_images"),
    script:
        "../scripts/simulate_images.py"


rule simulate_brain:
    """Training the hidden network that the higher areas of the simulated brain read from."""
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
        code=plan.code("simulate_brain"),
    script:
        "../scripts/simulate_brain.py"


rule simulate_tvsd:
    """Recording from the simulated monkeys."""
    input:
        weights="<results>/raw/hidden_network.pt",
        task="<results>/raw/task_images.npz",
        things="<results>/raw/things/object_images",
    output:
        plan.simulated_files("tvsd"),
        truth=[f"<results>/raw/truth/tvsd/{monkey}.h5" for monkey in plan.simulated_subjects("tvsd")],
        features="<results>/raw/truth/things.zarr.zip",
    log:
        "<logs>/simulate_tvsd.log",
    benchmark:
        "<benchmarks>/simulate_tvsd.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        simulation=plan.study.simulation.model_dump(include={"image_size", "seed", "tvsd"}),
        monkeys=plan.simulated_subjects("tvsd"),
        path=lambda wildcards: f"{plan.results}/raw/tvsd",
        code=plan.code("simulate_tvsd"),
    script:
        "../scripts/simulate_tvsd.py"


rule simulate_nsd:
    """Scanning the simulated humans."""
    input:
        weights="<results>/raw/hidden_network.pt",
        task="<results>/raw/task_images.npz",
    output:
        plan.simulated_files("nsd"),
        truth=[f"<results>/raw/truth/nsd/{subject}.h5" for subject in plan.simulated_subjects("nsd")],
        features="<results>/raw/truth/nsd.zarr.zip",
    log:
        "<logs>/simulate_nsd.log",
    benchmark:
        "<benchmarks>/simulate_nsd.tsv"
    conda:
        "../envs/cortexscale.yaml"
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        simulation=plan.study.simulation.model_dump(include={"image_size", "seed", "nsd"}),
        path=lambda wildcards: f"{plan.results}/raw/nsd",
        code=plan.code("simulate_nsd"),
    script:
        "../scripts/simulate_nsd.py"
