"""The contract of claude-code-api, which this gateway succeeds: endpoints, fields, codes, settings, models and tables.

These tests cover what no other test does. docs/reference.md lists the faults of the reference that are fixed here, each
with the test that keeps it fixed.
"""
