"""The failure of an MCP server."""


class McpFailure(Exception):
    """A server cannot be used. The text says why, without anything secret, and completes "…, because …"."""
