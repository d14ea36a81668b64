"""Claude Code as a client of the Messages API."""

from gateway.client_recipes.recipe import Recipe

CLAUDE_CODE = Recipe(
    name="claude-code",
    title="Claude Code",
    dialect="messages",
    intro="Set these variables in the shell, or under `env` in `~/.claude/settings.json`. No login is needed.",
    environment={"ANTHROPIC_BASE_URL": "{address}", "ANTHROPIC_AUTH_TOKEN": "{key}"},
    command="claude",
    notes="""\
- Claude Code chooses its own models. `ANTHROPIC_MODEL={model}` chooses another one, and
  `CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY=1` adds the gateway's models to `/model`.
- Tool search, `/context`, `/compact`, subagents, MCP servers, images and plan mode work as with Anthropic's API.
- In auto mode, Claude Code asks Anthropic to review each call (`safeguards`). The gateway cannot pass that on, so
  Claude Code makes its own requests for the review.
- Its WebSearch needs a tool that runs at Anthropic, which the gateway leaves out.""",
)

RECIPES = (CLAUDE_CODE,)
