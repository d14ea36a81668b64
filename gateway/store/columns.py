"""Types of columns that peewee lacks."""

import json
from datetime import datetime, timezone
from typing import Any

from peewee import DoubleField, TextField


class MomentField(DoubleField):
    """A point in time: an aware datetime in Python, seconds since 1970 in the database, where it can be compared."""

    def db_value(self, value: Any) -> Any:
        """Convert a value for the database."""
        return value.timestamp() if isinstance(value, datetime) else value

    def python_value(self, value: Any) -> Any:
        """Convert a value from the database."""
        return None if value is None else datetime.fromtimestamp(value, timezone.utc)


class CleanTextField(TextField):
    """Text that every database accepts.

    Clients' JSON may contain half of a surrogate pair, which no database accepts, or a NUL, which PostgreSQL rejects.
    Both become "?". This also applies to values in queries, which then match nothing.
    """

    def db_value(self, value: Any) -> Any:
        """Convert a value for the database."""
        if not isinstance(value, str) or (value.isascii() and "\0" not in value):
            return value
        return value.encode("utf-8", "replace").decode().replace("\0", "?")


class JsonField(TextField):
    """Lists and objects, stored as JSON text. peewee's own JSONField works only in models bound to a database."""

    def db_value(self, value: Any) -> Any:
        """Convert a value for the database."""
        return None if value is None else json.dumps(value)

    def python_value(self, value: Any) -> Any:
        """Convert a value from the database."""
        return None if value is None else json.loads(value)
