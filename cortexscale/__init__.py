"""Cortex Scale measures how well vision models predict the visual brain, and how their scores grow with scale."""
