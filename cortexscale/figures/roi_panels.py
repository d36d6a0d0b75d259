"""What figures with a panel or a place per ROI share."""

_NAMES = {"occipital_parietal": "occ. + parietal"}
_FEW = 4
_COLUMNS = range(7, 4, -1)


def roi_name(roi: str) -> str:
    return _NAMES.get(roi, roi.replace("_", " "))


def columns_for(panels: int) -> int:
    """Columns of a grid that leaves few places empty: one row for up to four panels, two for up to eight, else 5 to 7 columns."""
    if panels <= 2 * _FEW:
        return panels if panels <= _FEW else -(-panels // 2)
    return min(_COLUMNS, key=lambda columns: -panels % columns)
