"""Settings of Sphinx, which builds a site of the pages in this folder (`make docs`)."""

project = "Cortex Scale"
html_title = "Cortex Scale"
html_theme = "furo"
html_show_copyright = False
extensions = ["myst_parser"]
myst_heading_anchors = 3  # links can name a heading
myst_enable_extensions = ["dollarmath"]
exclude_patterns = ["_site"]
