"""Whose log a text is: words of the platform make it ours, those of other products and scripts do not."""

from __future__ import annotations

import pytest

from pfdoctor.core.relevance import SHORT, Relevance

MISSING = "ModuleNotFoundError: No module named 'bs4'\n"
LONG = "a line\n" * (2 * SHORT)


def _ours(text: str) -> bool:
    relevance = Relevance()
    relevance.feed(text)
    return relevance.ours


@pytest.mark.parametrize(
    "line",
    [
        "2024-05-01 10:00:00 +0000      21 execution.flow     INFO     Node answer completes.",
        "2024-05-01 10:00:00 +0000      21 execution          ERROR    Node answer failed.",
        "2023-05-23T01:20:13,206072314+00:00 | gunicorn/run | ",
        "2023-05-23T01:20:13,206072314+00:00 - gunicorn/finish 3 0",
        "Instance status:",
        "UserContainerImagePull: Succeeded",
        '10.0.0.1 - - [01/May/2024:10:00:00 +0000] "GET / HTTP/1.0" 200 7 "-" "kube-probe/1.27"',
        "runsvdir: exec",
        "Score:          POST  127.0.0.1:31311/score",
        "No such file or directory: '/var/azureml-app/azureml-models/m/1'",
        "/azureml-envs/image/bin/python",
    ],
)
def test_a_long_log_of_the_platform_is_ours(line: str) -> None:
    assert _ours(LONG + line + "\n" + MISSING)
    assert not _ours(LONG + MISSING)


@pytest.mark.parametrize(
    "module", "redis psycopg2 django celery elasticsearch kafka pyspark jupyter pytest mysql.connector".split()
)
def test_the_module_that_is_missing_tells_nothing_of_who_misses_it(module: str) -> None:
    assert _ours(f"ModuleNotFoundError: No module named '{module}'\n")
    assert _ours(f'  File "answer.py", line 3, in answer\n    import {module}\nModuleNotFoundError: x\n')


@pytest.mark.parametrize(
    "before",
    [
        'Traceback (most recent call last):\n  File "answer.py", line 5, in answer\n    found = find()\n',
        'Traceback (most recent call last):\n  File "<frozen importlib._bootstrap>", line 228, in _call\n',
        'Traceback (most recent call last):\n  File "/srv/my_flow/answer.py", line 1, in <module>\n    import bs4\n',
    ],
)
def test_a_pasted_traceback_of_a_flow_is_ours(before: str) -> None:
    assert _ours(before + MISSING)


@pytest.mark.parametrize(
    "before",
    [
        'Traceback (most recent call last):\n  File "/home/ana/game/main.py", line 1, in <module>\n    import bs4\n',
        "2020-02-27T09:04:16.537952+00:00 heroku[web.1]: State changed from up to crashed\n",
        "Host.Startup[503]\n      Initializing Host.\n",
        "server-1 exited with code 127\n",
        "redis.exceptions.ConnectionError: Error 111\n",
    ],
)
def test_what_other_products_print_is_not(before: str) -> None:
    assert not _ours(before + MISSING)
