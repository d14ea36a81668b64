"""The logins that most people use, as settings of a gateway. None removes a setting.

Both use made-up secrets, because the stand-in for Anthropic's API checks none.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path

API_KEY: dict[str, str | None] = {"ANTHROPIC_API_KEY": "sk-ant-dummy"}
SUBSCRIPTION: dict[str, str | None] = {
    "ANTHROPIC_API_KEY": None,
    "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-dummy",
}
LOGINS = {"API key": API_KEY, "subscription": SUBSCRIPTION}

#: The account of `folder_login`. The CLI knows both, and must tell neither to the model.
EMAIL = "operator@example.com"
ORGANIZATION = "The Operator's Organization"


def folder_login(folder: Path) -> dict[str, str | None]:
    """Write the files of `claude /login` into a folder, and return the settings that use it."""
    token = {
        "accessToken": "sk-ant-oat01-dummy",
        "refreshToken": "sk-ant-ort01-dummy",
        "expiresAt": int((time.time() + 86400) * 1000),
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
    }
    account = {
        "accountUuid": "11111111-1111-4111-8111-111111111111",
        "organizationUuid": "22222222-2222-4222-8222-222222222222",
        "emailAddress": EMAIL,
        "organizationName": ORGANIZATION,
    }
    folder.joinpath(".credentials.json").write_text(json.dumps({"claudeAiOauth": token}))
    folder.joinpath(".claude.json").write_text(json.dumps({"oauthAccount": account}))
    return {"ANTHROPIC_API_KEY": None, "CLAUDE_CONFIG_DIR": str(folder)}


def without_none(settings: Mapping[str, str | None]) -> dict[str, str]:
    """Return the settings that are not removed."""
    return {name: value for name, value in settings.items() if value is not None}
