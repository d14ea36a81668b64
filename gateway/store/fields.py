"""Column types."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from peewee import DoubleField, TextField


class MomentField(DoubleField):
    """A moment: an aware datetime here, seconds since 1970 in the database, where they sort and subtract."""

    def db_value(self, value: Any) -> Any:
        """To the database."""
        return value.timestamp() if isinstance(value, datetime) else value

    def python_value(self, value: Any) -> Any:
        """From the database."""
        return None if value is None else datetime.fromtimestamp(value, timezone.utc)


class CleanTextField(TextField):
    """Text that every database takes: clients' JSON may have half of a surrogate pair, which none does, or a NUL,
    which PostgreSQL refuses. Either becomes "?", also in what is looked for, where it leads to nothing."""

    def db_value(self, value: Any) -> Any:
        """To the database."""
        if not isinstance(value, str):
            return value
        return value.encode("utf-8", "replace").decode().replace("\0", "?")


class JsonField(TextField):
    """Lists and objects as text. peewee's own JSONField works only in a model that is bound to a database."""

    def db_value(self, value: Any) -> Any:
        """To the database."""
        return None if value is None else json.dumps(value)

    def python_value(self, value: Any) -> Any:
        """From the database."""
        return None if value is None else json.loads(value)
