"""Shapes of `/v1/projects`. What is written wrong is refused: a policy that is misread would be a hole."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import (
    RAISE,
    Schema,
    ValidationError,
    fields,
    post_load,
    pre_load,
    validate,
    validates_schema,
)

from gateway.schemas.answers import AnswerSchema, constant
from gateway.schemas.fields import Count, Flag, ListOf, Text
from gateway.schemas.pages import PaginationSchema
from gateway.settings import BUILT_IN_TOOLS

MODES = ("chat", "agent")
# Of the CLI's modes those that need nobody to ask and lift no barrier.
PERMISSION_MODES = ("default", "acceptEdits", "dontAsk")
MOST_RULES = 50

# A tool, or a tool with what it may be used for: `Bash(git log *)`.
_RULE = re.compile(rf"({'|'.join(BUILT_IN_TOOLS)})(\([^(),\x00-\x1f\x7f]{{1,200}}\))?\Z")


class StrictSchema(Schema):
    """An object in which every field has to be a known one."""

    class Meta:
        unknown = RAISE

    error_messages = {"type": "Expected an object.", "unknown": "Unknown field."}


def rule_tool(rule: str) -> str:
    """The tool that a permission rule is about."""
    return rule.partition("(")[0]


class PolicySchema(StrictSchema):
    """What answers may do in a project. The fields but `mode` go with agent only."""

    mode = Text(required=True, validate=validate.OneOf(MODES, error="Expected one of: {choices}."))
    tools = ListOf(
        Text(validate=validate.OneOf(BUILT_IN_TOOLS, error="Expected one of: {choices}.")),
        metadata={"description": "The built-in tools of Claude Code that there are."},
    )
    allowed_tools = ListOf(
        Text(
            validate=validate.Regexp(_RULE, error="Expected a tool, or one with a rule such as Bash(ls *).")
        ),
        validate=validate.Length(max=MOST_RULES),
        metadata={
            "description": "Permission rules for what may be done without asking; nobody can be asked."
        },
    )
    permission_mode = Text(validate=validate.OneOf(PERMISSION_MODES, error="Expected one of: {choices}."))
    max_turns = Count(validate=validate.Range(min=1, error="Expected 1 or more."))
    report_activity = Flag(metadata={"description": "Tell of the use of tools as `reasoning_content`."})

    @pre_load
    def drop_nulls(self, data: Any, **kwargs: Any) -> Any:
        """null counts as absent."""
        return {k: v for k, v in data.items() if v is not None} if isinstance(data, dict) else data

    @validates_schema
    def agree(self, data: Any, **kwargs: Any) -> None:
        """The fields have to make sense together."""
        if data["mode"] == "chat":
            extra = next((name for name in data if name != "mode"), None)
            if extra:
                raise ValidationError("Only a policy with mode 'agent' has this.", extra)
        elif not data.get("tools"):
            raise ValidationError("An agent needs at least one tool.", "tools")
        else:
            for index, rule in enumerate(data.get("allowed_tools", ())):
                if rule_tool(rule) not in data["tools"]:
                    raise ValidationError({index: ["This tool is not in 'tools'."]}, "allowed_tools")

    @post_load
    def complete(self, data: Any, **kwargs: Any) -> Any:
        """The defaults of an agent; each name once."""
        if data["mode"] == "chat":
            return data
        return {
            "mode": "agent",
            "tools": sorted(set(data["tools"])),
            "allowed_tools": list(dict.fromkeys(data.get("allowed_tools", ()))),
            "permission_mode": data.get("permission_mode", "default"),
            "max_turns": data.get("max_turns"),
            "report_activity": data.get("report_activity", False),
        }


class ProjectChangeSchema(StrictSchema):
    """What can be changed of a project."""

    name = Text(validate=validate.Length(min=1, max=200, error="Expected 1 to 200 characters."))
    description = Text(
        allow_none=True, validate=validate.Length(max=10_000, error="Expected at most 10000 characters.")
    )
    policy = fields.Nested(PolicySchema())


class NewProjectSchema(ProjectChangeSchema):
    """A project to be made."""

    name = Text(
        required=True, validate=validate.Length(min=1, max=200, error="Expected 1 to 200 characters.")
    )
    path = Text(
        allow_none=True,
        metadata={"description": "The name of its folder in PROJECT_ROOT. Left out: the project's id."},
    )


class ProjectSchema(AnswerSchema):
    """A project."""

    id = fields.String()
    name = fields.String()
    description = fields.String(allow_none=True)
    path = fields.String(metadata={"description": "The name of its folder in PROJECT_ROOT."})
    policy = fields.Dict()
    created_at = fields.DateTime()
    updated_at = fields.DateTime()
    is_active = fields.Boolean()


class ProjectListSchema(AnswerSchema):
    """A page of projects."""

    data = fields.List(fields.Nested(ProjectSchema))
    pagination = fields.Nested(PaginationSchema)


class DeletedProjectSchema(AnswerSchema):
    """A project that is gone."""

    project_id = fields.String()
    status = constant("deleted")


class FileSchema(AnswerSchema):
    """A file of a project."""

    object = constant("project.file")
    name = fields.String(metadata={"description": "Its path in the project."})
    bytes = fields.Integer()
    modified_at = fields.DateTime()


class FileListSchema(AnswerSchema):
    """A page of a project's files."""

    data = fields.List(fields.Nested(FileSchema))
    pagination = fields.Nested(PaginationSchema)


class DeletedFileSchema(AnswerSchema):
    """A file that is gone."""

    object = constant("project.file")
    name = fields.String()
    deleted = constant(True)
