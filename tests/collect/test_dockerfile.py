"""Dockerfiles and image references."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfdoctor.collect.folder.dockerfile import read_dockerfile, read_pip_installs
from pfdoctor.collect.image import read_image

STAGES = """# escape=\\
ARG TAG=20251211.v2
from mcr.microsoft.com/azureml/promptflow/promptflow-runtime-stable:${TAG} AS base
ENV A=8081 \\
    # a comment
    B="two words"
ENV C=${A}
RUN pip uninstall -y promptflow && \\
    pip install --no-cache-dir -r /r/requirements.txt "openai>=1.0" promptflow==${V} > /dev/null 2>&1
FROM base
COPY --from=base /x /y
COPY . /app
RUN <<EOF
python -m venv /venv
EOF
EXPOSE 8080/tcp $A
CMD ["bash", "./start.sh"]
"""


def test_stages() -> None:
    facts = read_dockerfile(STAGES, "Dockerfile")
    assert (facts["base"]["family"], facts["base"]["tag"], facts["base"]["python"]) == (
        "promptflow",
        "20251211.v2",
        "3.10",
    )
    assert facts["$at"]["base"] == [3, 6, 80]
    assert facts["sets_environment"] == {"A": "8081", "B": "two words", "C": "8081"}
    assert facts["exposed_ports"] == [8080, 8081]
    assert facts["copies"] == ["."]
    assert facts["copies_everything"] is True
    assert facts["installs_requirements"] == ["/r/requirements.txt"]
    assert facts["uninstalls_promptflow"] is True
    assert facts["pip_outside_environment"] == "python -m venv /venv"
    assert facts["starts_server"] is True
    named = read_pip_installs(STAGES, "Dockerfile").entries
    assert [(one["name"], one["pinned_version"]) for one in named] == [("openai", None), ("promptflow", None)]


@pytest.mark.parametrize(
    ("end", "starts"),
    [
        ("", False),
        ("CMD gunicorn app:app", True),
        ('ENTRYPOINT ["pf", "flow", "serve"]', True),
        ("CMD bash", False),
        ('CMD ["sleep", "infinity"]', False),
    ],
)
def test_what_starts(end: str, starts: bool) -> None:
    assert read_dockerfile(f"FROM python:3.11\n{end}\n", "D")["starts_server"] is starts


def test_what_may_start_a_server_is_unknown() -> None:
    assert "$unknown" in read_dockerfile("FROM python:3.11\nCMD ./run.sh\n", "D")["starts_server"]


def test_an_argument_without_default_leaves_the_base_unknown() -> None:
    assert "$unknown" in read_dockerfile("ARG X\nFROM $X\n", "D")["base"]
    assert read_dockerfile("", "D")["base"] is None


@given(
    st.lists(
        st.sampled_from(
            [
                "FROM a",
                " AS b",
                "\n",
                "RUN ",
                "pip install ",
                "<<EOF",
                "\\",
                "#",
                "[",
                '"',
                "$X",
                "ENV ",
                "a=1 ",
                "COPY ",
            ]
        )
    ).map("".join)
)
def test_never_fails(text: str) -> None:
    json.dumps(read_dockerfile(text, "D"))
    read_pip_installs(text, "D")


@pytest.mark.parametrize(
    ("reference", "registry", "repository", "tag", "family", "python"),
    [
        ("python:3.11-slim", "docker.io", "python", "3.11-slim", "python", "3.11"),
        ("docker.io/library/ubuntu", "docker.io", "ubuntu", None, "other", None),
        (
            "mcr.microsoft.com/azureml/minimal-py312-inference:1",
            "mcr.microsoft.com",
            "azureml/minimal-py312-inference",
            "1",
            "azureml-inference",
            "3.12",
        ),
        (
            "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04",
            "mcr.microsoft.com",
            "azureml/openmpi4.1.0-ubuntu22.04",
            None,
            "azureml-base",
            None,
        ),
        (
            "mcr.microsoft.com/azureml/promptflow/promptflow-runtime:20230926.v1",
            "mcr.microsoft.com",
            "azureml/promptflow/promptflow-runtime",
            "20230926.v1",
            "promptflow",
            None,
        ),
        ("localhost:5000/a:1", "localhost:5000", "a", "1", None, None),
        ("x.azurecr.io/a@sha256:1", "x.azurecr.io", "a", None, None, None),
    ],
)
def test_images(
    reference: str, registry: str, repository: str, tag: str | None, family: str | None, python: str | None
) -> None:
    facts = read_image(reference)
    assert (facts["registry"], facts["repository"], facts["tag"]) == (registry, repository, tag)
    assert facts["family"] == family if family else "$unknown" in facts["family"]
    assert facts["python"] == python if python else "$unknown" in facts["python"]


@pytest.mark.parametrize("text", ["RUN pip install " + "a " * 6000, "RUN pip install a\n" * 6000])
def test_no_more_than_so_many_packages_are_read(text: str) -> None:
    found = read_pip_installs("FROM a\n" + text, "Dockerfile")
    assert len(found.entries) == 5000
    assert found.unread is not None
