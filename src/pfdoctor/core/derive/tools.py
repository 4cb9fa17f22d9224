"""Inputs of package tools and of the language model APIs, as promptflow-tools 1.6.1 declares and takes them."""

from __future__ import annotations

from typing import NamedTuple


class Slot(NamedTuple):
    """One input: the types that promptflow converts a literal to (the first counts; connection classes when it is a
    connection; none when it converts nothing), and whether a call fails without it."""

    types: tuple[str, ...]
    required: bool = False


class ToolInputs(NamedTuple):
    """The inputs of a tool. `takes_prompt`: its source.path is a template, whose variables are inputs too."""

    slots: dict[str, Slot]
    takes_prompt: bool = False


def _tool(text: str, *, takes_prompt: bool = False) -> ToolInputs:
    """`name!:type|type`: an exclamation mark for a required input, no type where nothing is converted."""
    slots = {}
    for word in text.split():
        name, _, types = word.partition(":")
        slots[name.removesuffix("!")] = Slot(tuple(filter(None, types.split("|"))), name.endswith("!"))
    return ToolInputs(slots, takes_prompt)


PACKAGE_TOOLS = {
    "promptflow.tools.aoai_gpt4v.AzureOpenAI.chat": _tool(
        "connection!:AzureOpenAIConnection deployment_name!:string temperature:double top_p:double stream: "
        "stop:list max_tokens:int presence_penalty:double frequency_penalty:double seed:int detail:string",
        takes_prompt=True,
    ),
    "promptflow.tools.azure_content_safety.analyze_text": _tool(
        "connection!:AzureContentSafetyConnection text!:string hate_category:string sexual_category:string "
        "self_harm_category:string violence_category:string"
    ),
    "promptflow.tools.embedding.embedding": _tool(
        "connection!:AzureOpenAIConnection|OpenAIConnection|ServerlessConnection input!:string "
        "deployment_name:string model:string"
    ),
    "promptflow.tools.llm.llm": _tool(
        "connection!:AzureOpenAIConnection|OpenAIConnection|ServerlessConnection api:string "
        "deployment_name:string model:string temperature:double top_p:double stream: stop:list max_tokens:int "
        "presence_penalty:double frequency_penalty:int logit_bias:object tool_choice:object|string tools:list "
        "response_format:object seed:int suffix:string logprobs:int echo:bool best_of:int",
        takes_prompt=True,
    ),
    "promptflow.tools.llm_vision.llm_vision": _tool(
        "connection!:AzureOpenAIConnection|OpenAIConnection deployment_name:string model:string "
        "temperature:double top_p:double stream: stop:list max_tokens:int presence_penalty:double "
        "frequency_penalty:int seed:int detail:string",
        takes_prompt=True,
    ),
    "promptflow.tools.open_model_llm.OpenModelLLM.call": _tool(
        "api!:string endpoint_name!:string deployment_name:string temperature:double max_new_tokens:int "
        "top_p:double model_kwargs:object",
        takes_prompt=True,
    ),
    "promptflow.tools.openai_gpt4v.OpenAI.chat": _tool(
        "connection!:OpenAIConnection model:string temperature:double top_p:double stream: stop:list "
        "max_tokens:int presence_penalty:double frequency_penalty:double seed:int detail:string",
        takes_prompt=True,
    ),
    "promptflow.tools.serpapi.SerpAPI.search": _tool(
        "connection!:SerpConnection query!:string location:string safe:string num:int engine:string"
    ),
}

# Old ids that load under their new name.
RENAMED_TOOLS = {
    "content_safety_text.tools.content_safety_text_tool.analyze_text": (
        "promptflow.tools.azure_content_safety.analyze_text"
    ),
}

# The inputs of an LLM node by provider and api; its own key gives `connection`, its template `prompt`.
LLM_APIS = {
    "AzureOpenAI.completion": _tool(
        "connection:AzureOpenAIConnection prompt:prompt_template deployment_name!:string suffix:string "
        "max_tokens:int temperature:double top_p:double n:int stream:bool logprobs:int echo:bool stop:list "
        "presence_penalty:double frequency_penalty:double best_of:int logit_bias:object user:string",
        takes_prompt=True,
    ),
    "AzureOpenAI.chat": _tool(
        "connection:AzureOpenAIConnection prompt:prompt_template deployment_name!:string temperature:double "
        "top_p:double n:int stream:bool stop:list max_tokens:int presence_penalty:double "
        "frequency_penalty:double logit_bias:object user:string function_call:object functions:list "
        "tool_choice:object tools:list response_format:object seed:int",
        takes_prompt=True,
    ),
    "OpenAI.completion": _tool(
        "connection:OpenAIConnection prompt:prompt_template model:string suffix:string max_tokens:int "
        "temperature:double top_p:double n:int stream:bool logprobs:int echo:bool stop:list "
        "presence_penalty:double frequency_penalty:double best_of:int logit_bias:object user:string",
        takes_prompt=True,
    ),
    "OpenAI.chat": _tool(
        "connection:OpenAIConnection prompt:prompt_template model:string temperature:double top_p:double "
        "stream:bool stop:list max_tokens:int presence_penalty:double frequency_penalty:double "
        "logit_bias:object user:string function_call:object functions:list tool_choice:object tools:list "
        "response_format:object seed:int",
        takes_prompt=True,
    ),
}

PROVIDERS = {"AzureOpenAIConnection": "AzureOpenAI", "OpenAIConnection": "OpenAI", "ServerlessConnection": "OpenAI"}
CONNECTION_CLASSES = frozenset(
    (
        "AzureAIServicesConnection",
        "AzureContentSafetyConnection",
        "AzureOpenAIConnection",
        "BingConnection",
        "CognitiveSearchConnection",
        "CustomConnection",
        "CustomStrongTypeConnection",
        "FormRecognizerConnection",
        "OpenAIConnection",
        "SerpConnection",
        "ServerlessConnection",
    )
)
