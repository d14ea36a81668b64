"""Qwen Code in both of its dialects. It needs Node 22."""

from gateway.client_recipes.qwen import RECIPES
from tests.clients.client import Client
from tests.clients.installs import npm_program, npm_version

CLIENTS = [
    Client(
        recipe=recipe,
        version=npm_version("qwen", "@qwen-code/qwen-code"),
        program=lambda: npm_program("qwen", "qwen", node="node22"),
        ask=("--yolo", "-p", "{prompt}"),
        resume=("--yolo", "--continue", "-p", "{prompt}"),
        image=("--yolo", "-p", "{prompt} @{image}"),
        environ={"QWEN_CODE_SUPPRESS_YOLO_WARNING": "1"},
    )
    for recipe in RECIPES
]
