"""Recommend settings for a number of users, by simulating them: `claude-gateway size`. See docs/scale.md."""
