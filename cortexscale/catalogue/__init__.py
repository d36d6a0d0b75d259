"""Tables of the metrics, readouts and scaling axes that a study can choose, with the plain facts of each.

Every job loads these modules, so they import nothing heavy. The code that computes is in the package of its stage.
"""
