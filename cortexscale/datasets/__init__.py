"""Readers of datasets, in the files in which they were released.

Code that reads a file raises an InputError if it is missing, damaged, or other than what was released.
"""
