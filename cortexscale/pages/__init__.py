"""Pages for a browser. Each page is one file that opens without a server and without a network.

The folder ``assets/`` has the templates, styles and scripts. The data of a page are inserted as JSON.
"""
