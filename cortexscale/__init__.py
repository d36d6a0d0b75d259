"""Cortex Scale: how well vision models predict the visual brain, and how that grows with scale."""
