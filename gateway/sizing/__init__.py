"""Recommend settings for a number of users, by simulating them: `python -m gateway size`. See docs/scale.md."""
