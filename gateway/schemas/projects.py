"""Bodies and answers of `/v1/projects`. Unknown fields are rejected: a misread policy would be a security hole."""

from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, pre_load, validate

from gateway.schemas.answers import AnswerSchema, about, constant
from gateway.schemas.fields import Count, Flag, ListOf, Text, allowed, at_least
from gateway.schemas.pages import PageQuerySchema, PaginationSchema
from gateway.settings import BUILT_IN_TOOLS

MODES = ("chat", "agent")
# The CLI's permission modes that do not bypass the permission rules, and "ask", which asks the client for approvals.
PERMISSION_MODES = ("default", "acceptEdits", "dontAsk", "ask")
MAX_RULES = 50
NAME_LENGTH = validate.Length(min=1, max=200, error="Expected 1 to 200 characters.")

# A tool, or a tool with the uses that are allowed: `Bash(git log *)`.
_RULE = validate.Regexp(
    rf"({'|'.join(BUILT_IN_TOOLS)})(\([^(),\x00-\x1f\x7f]{{1,200}}\))?\Z",
    error="Expected a tool, or a tool with a rule such as Bash(ls *).",
)


MAX_SUBAGENTS = 20
_SUBAGENT_NAME = validate.Regexp(
    r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z", error="Expected a name of letters, digits, _ and -."
)


class StrictSchema(Schema):
    """An object in which unknown fields are errors."""

    class Meta:
        unknown = RAISE

    error_messages = {"type": "Expected an object.", "unknown": "Unknown field. Remove it."}


def rule_tool(rule: str) -> str:
    """Return the tool that a permission rule is about."""
    return rule.partition("(")[0]


class SubagentSchema(StrictSchema):
    """An agent that the agent of a project may start for a part of its work."""

    description = Text(
        required=True,
        validate=validate.Length(min=1, max=2000),
        metadata=about("Tells the model when to use it."),
    )
    prompt = Text(
        required=True, validate=validate.Length(min=1, max=50_000), metadata=about("Its system prompt.")
    )
    tools = ListOf(
        Text(validate=allowed(*BUILT_IN_TOOLS)), metadata=about("Default: all tools of the project.")
    )


class PolicySchema(StrictSchema):
    """The permissions of answers in a project. All fields except `mode` are for agents only."""

    mode = Text(required=True, validate=allowed(*MODES))
    tools = ListOf(
        Text(validate=allowed(*BUILT_IN_TOOLS)),
        metadata=about("The built-in tools of Claude Code that the model may see."),
    )
    allowed_tools = ListOf(
        Text(validate=_RULE),
        validate=validate.Length(max=MAX_RULES),
        metadata=about(
            "Permission rules. Everything else is denied, or asked about if `permission_mode` is `ask`."
        ),
    )
    permission_mode = Text(validate=allowed(*PERMISSION_MODES))
    max_turns = Count(validate=at_least(1))
    report_activity = Flag(metadata=about("Report the use of tools as `reasoning_content`."))
    subagents = fields.Dict(
        keys=fields.String(validate=_SUBAGENT_NAME),
        values=fields.Nested(SubagentSchema()),
        validate=validate.Length(max=MAX_SUBAGENTS, error=f"Expected at most {MAX_SUBAGENTS} subagents."),
        metadata=about("Subagents by name."),
    )

    @pre_load
    def drop_nulls(self, data: Any, **kwargs: Any) -> Any:
        """Drop nulls, which count as absent."""
        return {k: v for k, v in data.items() if v is not None} if isinstance(data, dict) else data

    @post_load
    def complete(self, data: Any, **kwargs: Any) -> Any:
        """Check that the fields fit together, fill in the defaults of an agent, and drop repeated names."""
        _check_policy(data)
        if data["mode"] == "chat":
            return data
        return {
            "mode": "agent",
            "tools": sorted(set(data["tools"])),
            "allowed_tools": list(dict.fromkeys(data.get("allowed_tools", ()))),
            "permission_mode": data.get("permission_mode", "default"),
            "max_turns": data.get("max_turns"),
            "report_activity": data.get("report_activity", False),
            **({"subagents": data["subagents"]} if data.get("subagents") else {}),
        }


def _check_policy(data: dict[str, Any]) -> None:
    """Check that the fields fit the mode and each other."""
    if data["mode"] == "chat":
        extra = next((name for name in data if name != "mode"), None)
        if extra:
            problem = "Only a policy with mode 'agent' can have this field. Remove it."
            raise ValidationError(problem, extra)
    elif not data.get("tools"):
        raise ValidationError("An agent needs at least one tool.", "tools")
    else:
        for index, rule in enumerate(data.get("allowed_tools", ())):
            if rule_tool(rule) not in data["tools"]:
                problem = "The tool of this rule is not in 'tools'. Add it there, or remove the rule."
                raise ValidationError({index: [problem]}, "allowed_tools")
        for name, agent in (data.get("subagents") or {}).items():
            if not set(agent.get("tools", ())) <= set(data["tools"]):
                raise ValidationError({name: ["A subagent can only have tools of the project."]}, "subagents")


class ProjectChangeSchema(StrictSchema):
    """The fields of a project that can be changed."""

    name = Text(validate=NAME_LENGTH)
    description = Text(
        allow_none=True, validate=validate.Length(max=10_000, error="Expected at most 10000 characters.")
    )
    policy = fields.Nested(PolicySchema())


class NewProjectSchema(ProjectChangeSchema):
    """A new project."""

    name = Text(required=True, validate=NAME_LENGTH)
    path = Text(
        allow_none=True,
        metadata=about("The name of its folder in PROJECT_ROOT. If it is missing, the project's id is used."),
    )


class ProjectSchema(AnswerSchema):
    """A project."""

    id = fields.String()
    name = fields.String()
    description = fields.String(allow_none=True)
    path = fields.String(metadata=about("The name of its folder in PROJECT_ROOT."))
    policy = fields.Dict()
    created_at = fields.DateTime()
    updated_at = fields.DateTime()
    is_active = fields.Boolean()


class ProjectListSchema(AnswerSchema):
    """A page of projects."""

    data = fields.List(fields.Nested(ProjectSchema))
    pagination = fields.Nested(PaginationSchema)


class ActivityQuerySchema(PageQuerySchema):
    """A page of what agents did, or of what they did for one request."""

    request_id = fields.String(metadata=about("The `x-request-id` of the request."))


class ActivitySchema(AnswerSchema):
    """The use of a tool by an agent. Long texts are cut."""

    object = constant("project.activity")
    id = fields.Integer()
    created_at = fields.DateTime()
    request_id = fields.String()
    call_id = fields.String(metadata=about("The model's id of the call."))
    tool = fields.String()
    subagent = fields.String(allow_none=True, metadata=about("The subagent that used the tool."))
    arguments = fields.Dict()
    status = fields.String(
        metadata={
            "enum": ["started", "completed", "failed", "denied"],
            **about("`started`: the tool is running, or the answer was stopped before it ended."),
        }
    )
    result = fields.String(allow_none=True)
    milliseconds = fields.Integer(allow_none=True)


class ActivityListSchema(AnswerSchema):
    """A page of what agents did."""

    data = fields.List(fields.Nested(ActivitySchema))
    pagination = fields.Nested(PaginationSchema)


class CheckpointSchema(AnswerSchema):
    """The files of a project before an answer of an agent."""

    object = constant("project.checkpoint")
    id = fields.String()
    request_id = fields.String(metadata=about("The `x-request-id` of the request that it precedes."))
    created_at = fields.DateTime()
    files = fields.Function(lambda checkpoint: len(checkpoint.files), metadata={"type": "integer"})
    bytes = fields.Integer()


class CheckpointListSchema(AnswerSchema):
    """All checkpoints of a project, the newest first."""

    data = fields.List(fields.Nested(CheckpointSchema))


class RewindSchema(StrictSchema):
    """The checkpoint to return to. Without any field, the newest one."""

    checkpoint_id = Text(allow_none=True)
    request_id = Text(allow_none=True, metadata=about("Return to the checkpoint before this request."))


class RewoundSchema(AnswerSchema):
    """The effect of a rewind on the project's files."""

    object = constant("project.rewind")
    checkpoint = fields.Nested(CheckpointSchema)
    restored = fields.List(fields.String())
    deleted = fields.List(fields.String())
    skipped = fields.List(
        fields.String(),
        metadata=about("Files that a link or a folder of the same name keeps from being restored."),
    )
    undo_checkpoint_id = fields.String(
        allow_none=True, metadata=about("A checkpoint with the files as they were before the rewind.")
    )


class DeletedProjectSchema(AnswerSchema):
    """A deleted project."""

    project_id = fields.String()
    status = constant("deleted")


class FileSchema(AnswerSchema):
    """A file of a project."""

    object = constant("project.file")
    name = fields.String(metadata=about("The path of the file in the project."))
    bytes = fields.Integer()
    modified_at = fields.DateTime()


class FileListSchema(AnswerSchema):
    """A page of a project's files."""

    data = fields.List(fields.Nested(FileSchema))
    pagination = fields.Nested(PaginationSchema)


class DeletedFileSchema(AnswerSchema):
    """A deleted file."""

    object = constant("project.file")
    name = fields.String()
    deleted = constant(True)
