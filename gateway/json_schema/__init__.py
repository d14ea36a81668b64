"""Repair clients' JSON schemas to what Anthropic's API accepts, and map values between the two forms.

Clients send schemas of all drafts and of other vendors, and hand-written ones with mistakes. The API accepts JSON
Schema 2020-12 with some limits of its own, and rejects the whole request for one bad schema. `adapt_tool_schema`
returns the nearest schema that it accepts for a tool, and `adapt_output_schema` those that an answer can be held to. A
repair may give a property another name or put the schema inside an object; `to_model` and `to_client` map values
between the client's form and the model's.

>>> adapted = adapt_tool_schema({"properties": {"$top": {"type": "int"}}})
>>> [alias] = adapted.schema["properties"]
>>> adapted.schema["properties"][alias]["type"], adapted.to_client({alias: 5})
('integer', {'$top': 5})
"""

from gateway.json_schema.mapping import AdaptedSchema, ValueMapping
from gateway.json_schema.output import OutputSchema, UnsupportedSchema, adapt_output_schema
from gateway.json_schema.output_format import fit_one_grammar
from gateway.json_schema.tools import adapt_tool_schema

__all__ = [
    "AdaptedSchema",
    "OutputSchema",
    "UnsupportedSchema",
    "ValueMapping",
    "adapt_output_schema",
    "adapt_tool_schema",
    "fit_one_grammar",
]
