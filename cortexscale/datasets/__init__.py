"""Readers of datasets, from the files that were released.

Code that reads a file raises an InputError if the file is missing, damaged, or not as it was released.
"""
