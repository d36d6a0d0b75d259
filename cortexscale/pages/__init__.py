"""Pages for a browser: one file each, which opens without a server and without a network.

A template, style sheets and scripts lie in ``assets/``; what they show is put in as JSON.
"""
