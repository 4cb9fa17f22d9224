from urllib.parse import urlsplit

from promptflow.connections import AzureOpenAIConnection
from promptflow.core import tool


@tool
def describe(question: str, connection: AzureOpenAIConnection) -> str:
    """Say where the connection leads, without following it; its key stays where it is."""
    if question == "boom":
        raise ValueError(question)
    return f"{question}, at {urlsplit(connection.api_base).hostname}"
