"""What error codes of Azure ML, its gateway, ARM and Azure OpenAI mean, and what to look at next.

Facts are those of "Troubleshooting online endpoints" and "Troubleshoot prompt flow" on learn.microsoft.com, and of
runs of the serving app; the words are ours.
"""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """A code, what it says, and the next thing to do."""

    code: str
    meaning: str
    next: str


_GET_LOGS = (
    "az ml online-deployment get-logs -e ENDPOINT -n DEPLOYMENT -l 5000 > log.txt && pfdoctor diagnose --log log.txt"
)
_INITIALIZER = "az ml online-deployment get-logs -e ENDPOINT -n DEPLOYMENT --container storage-initializer -l 5000"
_BUILD_LOG = "save the Build log of the environment's version in the studio; pfdoctor diagnose --log FILE"
_LIVE = "pfdoctor diagnose --endpoint ENDPOINT"
_ACCESS = "pfdoctor access --endpoint ENDPOINT"
_USAGE = "az vm list-usage -l REGION -o table; the studio's Quota page shows Azure ML's own"
_CHECK = "pfdoctor check PATH"

_CODES = (
    Code(
        "ResourceNotReady",
        "The container was started and did not become ready: it crashed, was killed, or nothing answered the probes. "
        "The cause is in the container's own log, not in this message.",
        _GET_LOGS,
    ),
    Code(
        "ImageBuildFailure",
        "The environment's image could not be built: a line of the Dockerfile, the requirements or the conda file "
        "fails.",
        _BUILD_LOG,
    ),
    Code(
        "MissingDriverProgram",
        "Azure ML took the environment for one of a scoring script: a custom environment for prompt flow needs an "
        "inference_config with the liveness, readiness and scoring routes.",
        _CHECK,
    ),
    Code(
        "BadArgument",
        "Something that the deployment names cannot be used: the endpoint's identity may not pull the image or read "
        "the model, the container registry is private, the image or the model cannot be downloaded, or a request is "
        "too big.",
        f"{_ACCESS}; {_INITIALIZER}",
    ),
    Code(
        "OutOfQuota",
        "A quota is used up: cores of the VM family, endpoints, deployments, role assignments, disk, or memory of the "
        "instance.",
        _USAGE,
    ),
    Code(
        "OutOfCapacity",
        "Azure has no machine of this size left in the region.",
        "choose another instance_type or region",
    ),
    Code(
        "ResourceNotFound",
        "Something the request names is not there, or Azure did not get the image in time: the message names which.",
        _LIVE,
    ),
    Code(
        "ResourceConflict", "Another operation on the same resource is running.", "wait until it ends, then try again"
    ),
    Code(
        "Conflict",
        "Another operation on the same resource is running, or the name is taken.",
        "wait until it ends, then try again",
    ),
    Code(
        "OperationCanceled",
        "An operation of higher priority, or a lock, took this one's place.",
        "az lock list -g RESOURCE_GROUP -o table; then try again",
    ),
    Code(
        "SecretsInjectionError",
        "A ${{…}} reference in environment_variables could not be resolved: the identity may not read the connection "
        "or the key vault, or the reference names nothing.",
        f"{_CHECK}; {_ACCESS}",
    ),
    Code(
        "InternalServerError",
        "The service itself failed.",
        "try again; then open a support request with the request id",
    ),
    Code(
        "AuthorizationFailed",
        "The identity that the message names has no role that allows the action at this scope, or the role was "
        "granted a few minutes ago and does not take effect yet.",
        _ACCESS,
    ),
    Code(
        "LinkedAuthorizationFailed",
        "The action also needs a right on a second resource, such as assigning a user-assigned identity, or that "
        "resource does not exist any more.",
        "az identity show --ids IDENTITY_ID; az role assignment list --scope IDENTITY_ID -o table",
    ),
    Code(
        "DenyAssignmentAuthorizationFailed", "A deny assignment forbids the action, whatever the roles allow.", _ACCESS
    ),
    Code(
        "PermissionDenied",
        "The identity may not call the model: it lacks a data action such as that of Cognitive Services OpenAI User.",
        _ACCESS,
    ),
    Code(
        "AuthorizationPermissionMismatch",
        "The identity reached the storage account and lacks a data role there, such as Storage Blob Data Reader.",
        _ACCESS,
    ),
    Code(
        "AuthorizationFailure",
        "The storage account's network rules or its shared-key setting refused the request.",
        _LIVE,
    ),
    Code(
        "SubscriptionNotRegistered",
        "A resource provider that the deployment needs is not registered in the subscription.",
        "az provider list --query \"[?registrationState=='NotRegistered'].namespace\" -o tsv",
    ),
    Code(
        "RequestDisallowedByPolicy",
        "An Azure Policy of the subscription forbids the resource; the message names the policy.",
        _LIVE,
    ),
    Code(
        "DeploymentNotFound",
        "The Azure OpenAI account has no model deployment of that name, or it is minutes old.",
        _CHECK,
    ),
    Code(
        "401",
        "The key or token of the request is missing, expired or of another endpoint; or the identity may not score.",
        "az ml online-endpoint get-credentials -n ENDPOINT",
    ),
    Code("403", "The caller is known and may not do this, or a network rule refused it.", _ACCESS),
    Code(
        "404",
        "The endpoint has no deployment with traffic, the header azureml-model-deployment names none, or the path is "
        "wrong.",
        "az ml online-endpoint show -n ENDPOINT --query traffic",
    ),
    Code("405", "The route exists and does not take this method: /score takes POST.", "send POST"),
    Code("406", "The Accept header asks for a form that the flow does not answer in.", "send Accept: application/json"),
    Code(
        "408",
        "The flow took longer than request_settings.request_timeout_ms, which is 5 seconds unless it is set.",
        _GET_LOGS,
    ),
    Code(
        "409",
        "An operation on the endpoint or deployment is still running.",
        "az ml online-endpoint show -n ENDPOINT --query provisioning_state",
    ),
    Code("413", "The request is larger than the gateway takes.", "send less"),
    Code(
        "424",
        "The gateway reached the container and that answered with an error of its own: the header "
        "ms-azureml-model-error-statuscode has the real status, the body the message.",
        f"curl -i the request again and run pfdoctor diagnose --log on what it prints; {_GET_LOGS}",
    ),
    Code(
        "429",
        "Too many requests at once: more than 2 × max_concurrent_requests_per_instance × instances are waiting, the "
        "endpoint's rate limits are reached, or, inside the container, the language model's.",
        f"read the reason phrase of the answer; {_GET_LOGS}",
    ),
    Code("500", "The service or the container failed without saying more.", _GET_LOGS),
    Code(
        "502",
        "Nothing listens on the container's port, or it closed the connection: it crashed or still starts.",
        _GET_LOGS,
    ),
    Code("503", "The container is not ready, or there are too few instances.", _GET_LOGS),
    Code("504", "The container did not answer in time.", _GET_LOGS),
    Code(
        "137",
        "The container was killed with SIGKILL, nearly always because it used more memory than it has.",
        _GET_LOGS,
    ),
    Code("139", "The container crashed inside native code (SIGSEGV).", _GET_LOGS),
    Code(
        "143",
        "The container was asked to end (SIGTERM), as a deployment does that is replaced or fails its probe.",
        _GET_LOGS,
    ),
)

CODES = {one.code.casefold(): one for one in _CODES}
"""Codes by their name in lower case."""


def meaning_of(code: str) -> Code | None:
    """What a code means, however it is written; None for one that is not known here."""
    return CODES.get(code.strip().strip("()[]'\":").casefold())
