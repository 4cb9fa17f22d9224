import re

from promptflow.core import tool

ARTICLES = {
    "refund": "Refunds are paid within five working days.",
    "delivery": "Parcels arrive within three working days.",
}


@tool
def find_article(question: str, max_results: int = 1) -> str:
    words = re.findall(r"[a-z]+", question.lower())
    found = [ARTICLES[word] for word in words if word in ARTICLES]
    return "\n".join(found[:max_results])
