"""Whose log a text is: what other programs write too counts only where Azure ML or prompt flow shows itself."""

from __future__ import annotations

from pfdoctor.core.pattern import Pattern

OURS = (
    "promptflow",
    "prompt flow",
    "azureml",
    "azure-ai-ml",
    "azure.ai.ml",
    "azure/ai/ml",
    "azure\\ai\\ml",
    "managedonline",
    "microsoft.machinelearningservices",
    "inference.ml.azure",
    "ml.azure.com",
    "flow.dag.yaml",
    "flow.flex.yaml",
    "az ml ",
    "online-deployment",
    "online-endpoint",
    "onlineendpoint",
    "onlinedeployment",
    "execution failure in '",
    "aka.ms/oe-tsg",
    "ml_client",
    "mlclient",
    "azmlinfsrv",
    "inference-server",
    "storage-initializer",
    "storage_initializer",
    "execution.flow",
    "gunicorn/run |",
    "gunicorn/run,",
    "gunicorn/finish",
    "instance status:",
    "usercontainerimagepull",
    "kube-probe",
    "runsvdir",
    "127.0.0.1:31311",
)
"""In lower case: each is written by Azure ML, prompt flow, their clients, or in their files alone."""

FOREIGN = (
    "kubelet",
    "kubectl",
    "kube-system",
    "deployment.apps/",
    "npm err",
    "npm error",
    "java.lang.",
    "at org.",
    "at com.",
    "terraform",
    "azurerm_",
    "docker-compose",
    "django",
    "node_modules",
    "ingress-nginx",
    "envoy.",
    "istio",
    "airflow",
    "celery",
    "spark",
    "webpack",
    "cargo ",
    "gradle",
    "maven",
    "ansible",
    "psycopg2",
    "postgres",
    "redis",
    "jupyter",
    "pytest",
    "uwsgi",
    "wordpress",
    "php",
    "nginx",
    "amazonaws.com",
    "gcloud",
    "googleapis",
    "mongodb",
    "mysql",
    "psql",
    "rabbitmq",
    "kafka",
    "elasticsearch",
    "systemd",
    "sshd",
    "kernel:",
    "selenium",
    "tomcat",
    "laravel",
    "rails",
    "minikube",
    "jenkins",
    "heroku",
    "-1 exited with code",
    "host.startup[",
    "deploymentscript",
    "gitlab",
    "heroku",
    "envs/mlflow-",
    "scm.azurewebsites.net",
    "host.startup[",
    "azure_functions",
    "azure functions",
    "-1 exited with code ",
    "morpheus",
)
"""In lower case: each tells that a text is of another product; so does a traceback of a script."""

_LOGGER = Pattern(r"(?m)^\S{10} \S{8} [+-]\d{4} +\d+ execution[. ]")
"""A line of the log that promptflow keeps of a run; its loggers are `execution`, `execution.flow` and more."""
_NAMED = Pattern(
    r"(?:no module named|import|from|collecting|requirement|distribution found for|wheel for|pip install"
    r"|package|module) \W{0,4}[\w.-]+"
)
"""What is missing, or is to be installed, tells nothing of who misses it."""
_SCRIPT = Pattern(
    r"traceback \(most recent call last\):\s*\n\W*file \"(?![^\"\n]{0,500}flow)[^\"\n]{1,500}\", line \d+, in <module>"
)
"""A traceback that begins in a file which somebody ran: those of a flow begin in what loads it."""

SHORT = 40
"""Lines up to which a text that speaks of nothing is taken for what a person cut out and pasted."""


class Relevance:
    """Fed a text piece by piece, it knows whether what other programs write too counts in it."""

    __slots__ = ("_foreign", "_lines", "_ours")

    def __init__(self) -> None:
        self._ours = False
        self._foreign = False
        self._lines = 0

    def feed(self, piece: str) -> None:
        """Takes notice of the next part of the text."""
        if self._ours:
            return
        lower = piece.lower()
        self._ours = any(marker in lower for marker in OURS) or _LOGGER.search(lower) is not None
        # in a long text that does not speak of us it does not matter what else it speaks of
        if not self._ours and not self._foreign and self._lines <= SHORT:
            self._foreign = _is_foreign(_NAMED.sub("", lower))
        self._lines += piece.count("\n")

    @property
    def named(self) -> bool:
        """Whether it speaks of Azure ML or prompt flow outright."""
        return self._ours

    @property
    def ours(self) -> bool:
        """Whether it speaks of Azure ML or prompt flow, or is short and speaks of nothing else."""
        return self._ours or (not self._foreign and self._lines <= SHORT)


def _is_foreign(lower: str) -> bool:
    return any(marker in lower for marker in FOREIGN) or _SCRIPT.search(lower) is not None
