"""Names for the JSON objects that the dialects read and write."""

from typing import Any

#: A request or response body, or a chat message in it.
Body = dict[str, Any]

#: An item of the Responses API, in its input or output.
Item = dict[str, Any]

#: A JSON schema.
Schema = dict[str, Any]
