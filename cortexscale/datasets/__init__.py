"""Readers of the released files of datasets.

Code that reads a file raises an InputError if the file is missing, damaged, or different from the release.
"""
