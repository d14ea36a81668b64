"""Measure how fast the gateway is: `python -m bench`. See docs/performance.md."""
