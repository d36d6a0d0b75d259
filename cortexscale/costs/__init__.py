"""The rates of a machine, and the cost of a job in time, memory and disk.

Every stage has a module ``bounds.py`` beside its numerics. Its functions compute the Cost of a job from the sizes of its arrays
and the rates of a Machine. Rules call them with the largest possible sizes and the slowest machine, to set limits.
``snakemake estimate`` calls them with counted sizes and the machine of the config.
"""
