"""A scripted agent for the stand-in, which does a job with the tools that a client offers."""
