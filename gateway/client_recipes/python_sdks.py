"""Python packages that take a base URL and a key."""

from gateway.client_recipes.recipe import Dialect, Recipe

_RUN = "The tests run a tool loop through the real package."


def _recipe(name: str, title: str, dialect: Dialect, code: str) -> Recipe:
    return Recipe(name=name, title=title, dialect=dialect, code=code, language="python", tested=_RUN)


OPENAI = _recipe(
    "openai-python",
    "openai-python",
    "chat",
    """\
from openai import OpenAI

client = OpenAI(base_url="{base_url}", api_key="{key}")
answer = client.chat.completions.create(model="{model}", messages=[{"role": "user", "content": "Hello"}])
print(answer.choices[0].message.content)

response = client.responses.create(model="{model}", input="Hello")  # with 2.x and newer
print(response.output_text)
""",
)
ANTHROPIC = _recipe(
    "anthropic-python",
    "anthropic-python",
    "messages",
    """\
from anthropic import Anthropic

client = Anthropic(base_url="{address}", api_key="{key}")  # without /v1
message = client.messages.create(
    model="{model}", max_tokens=1024, messages=[{"role": "user", "content": "Hello"}]
)
print(message.content[0].text)
""",
)
LANGCHAIN = _recipe(
    "langchain-openai",
    "LangChain",
    "chat",
    """\
from langchain_openai import ChatOpenAI

# Without `stream_usage`, LangChain does not ask for the tokens of streams if there is a base URL.
model = ChatOpenAI(base_url="{base_url}", api_key="{key}", model="{model}", stream_usage=True)
responses = ChatOpenAI(
    base_url="{base_url}", api_key="{key}", model="{model}", use_responses_api=True
)
""",
)
LANGCHAIN_ANTHROPIC = _recipe(
    "langchain-anthropic",
    "LangChain",
    "messages",
    """\
from langchain_anthropic import ChatAnthropic

model = ChatAnthropic(base_url="{address}", api_key="{key}", model="{model}")  # without /v1
""",
)
LITELLM = _recipe(
    "litellm",
    "litellm",
    "chat",
    """\
from litellm import completion

completion(
    model="openai/{model}",
    api_base="{base_url}",
    api_key="{key}",
    messages=[{"role": "user", "content": "Hello"}],
)
""",
)
LLAMA_INDEX = _recipe(
    "llama-index",
    "LlamaIndex",
    "chat",
    """\
from llama_index.llms.openai_like import OpenAILike

llm = OpenAILike(
    api_base="{base_url}",
    api_key="{key}",
    model="{model}",
    is_chat_model=True,  # without it, LlamaIndex uses legacy completions, which have no tools
    is_function_calling_model=True,
)
""",
)
OPENAI_AGENTS = _recipe(
    "openai-agents",
    "OpenAI Agents SDK for Python",
    "responses",
    """\
from agents import Agent, OpenAIResponsesModel
from openai import AsyncOpenAI

client = AsyncOpenAI(base_url="{base_url}", api_key="{key}")
agent = Agent(name="Assistant", model=OpenAIResponsesModel(model="{model}", openai_client=client))
""",
)

PYDANTIC_AI = _recipe(
    "pydantic-ai",
    "Pydantic AI",
    "chat",
    """\
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(base_url="{base_url}", api_key="{key}")
agent = Agent(OpenAIChatModel("{model}", provider=provider))  # or OpenAIResponsesModel
""",
)
INSTRUCTOR = _recipe(
    "instructor",
    "instructor",
    "chat",
    """\
import instructor

client = instructor.from_provider("openai/{model}", base_url="{base_url}", api_key="{key}")
""",
)
DSPY = _recipe(
    "dspy",
    "DSPy",
    "chat",
    """\
import dspy

dspy.configure(lm=dspy.LM("openai/{model}", api_base="{base_url}", api_key="{key}"))
""",
)
SMOLAGENTS = _recipe(
    "smolagents",
    "smolagents",
    "chat",
    """\
from smolagents import OpenAIServerModel, ToolCallingAgent

agent = ToolCallingAgent([], OpenAIServerModel("{model}", api_base="{base_url}", api_key="{key}"))
""",
)

RECIPES = (
    *(OPENAI, ANTHROPIC, LANGCHAIN, LANGCHAIN_ANTHROPIC, LITELLM, LLAMA_INDEX, OPENAI_AGENTS),
    *(PYDANTIC_AI, INSTRUCTOR, DSPY, SMOLAGENTS),
)
