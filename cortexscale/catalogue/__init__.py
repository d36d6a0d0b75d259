"""Tables of what a study can choose among: metrics, readouts and scaling axes, with the plain facts of each.

Every job loads these modules, so they import nothing heavy. The code that computes stands in the package of its stage.
"""
