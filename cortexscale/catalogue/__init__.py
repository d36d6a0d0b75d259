"""The metrics, readouts and scaling axes that a study can choose, with facts about each.

Every job loads these modules, so they import nothing heavy. The code that computes metrics, trains readouts and fits laws is in
the packages of the stages.
"""
