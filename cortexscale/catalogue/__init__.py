"""Tables of what a study can choose among: metrics, readouts and scaling axes.

Each module has one entry per thing with its plain facts. The config, the plan, figures and pages read them; the code that
computes stands in the package of its stage. These modules import nothing heavy, since every job loads them.
"""
