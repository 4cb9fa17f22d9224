"""The face of a flow: its inputs, outputs and connections, the OpenAPI document, and what requests must look like.

Read from the flow's folder or, for a scenario without one, from the deployment's `simulation`. The document and the
messages are those of promptflow-core 1.18.5 (`_serving/swagger.py`, `_serving/utils.py`, `executor/flow_validator.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import yaml

from pfdoctor.simulator.connection_lookup import ServingError
from pfdoctor.simulator.dataplane import Deployment, Json

_OPENAPI_TYPES = {
    "int": "integer",
    "double": "number",
    "bool": "boolean",
    "string": "string",
    "list": "array",
    "object": "object",
    "image": "object",
}
_PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {"list": (list,), "object": (dict,)}


class Field(NamedTuple):
    """One input or output."""

    type: str
    settings: Mapping[str, Json]

    @property
    def default(self) -> Json:
        """What an input has when a request leaves it out; None: it has to be given."""
        return self.settings.get("default")


class FlowInterface(NamedTuple):
    """What the serving app shows of a flow."""

    name: str
    inputs: Mapping[str, Field]
    outputs: Mapping[str, Field]
    connections: tuple[str, ...]

    def answered(self, included: str | None) -> Mapping[str, Field]:
        """The outputs that an answer holds: PROMPTFLOW_RESPONSE_INCLUDED_FIELDS, else all that are no evaluation."""
        if included is None:
            return {name: field for name, field in self.outputs.items() if not field.settings.get("evaluation_only")}
        try:
            names = json.loads(included)
        except ValueError as error:
            raise ServingError("json.decoder.JSONDecodeError", str(error), code="SystemError") from error
        return {name: field for name, field in self.outputs.items() if name in names}


def flow_interface(deployment: Deployment) -> FlowInterface:
    """The face of the flow that the deployment serves."""
    simulation = deployment.simulation
    if "flow" not in simulation:
        connections = simulation.get("connections")
        return FlowInterface(
            name=str(simulation.get("name", deployment.name)),
            inputs=_fields(simulation.get("inputs", {"question": "string"})),
            outputs=_fields(simulation.get("outputs", {"answer": "string"})),
            connections=tuple(map(str, connections)) if isinstance(connections, list) else (),
        )
    folder = (deployment.folder / str(simulation["flow"])).resolve()
    try:
        flow = yaml.safe_load((folder / "flow.dag.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ServingError(type(error).__name__, str(error), code="SystemError") from error
    return FlowInterface(
        name=folder.name,
        inputs=_fields(flow.get("inputs")),
        outputs=_fields(flow.get("outputs")),
        connections=tuple(dict.fromkeys(_connections(flow.get("nodes") or ()))),
    )


def _fields(declared: Json) -> Mapping[str, Field]:
    if not isinstance(declared, Mapping):
        return {}
    return {
        str(name): Field(str(field.get("type", "string")), field)
        if isinstance(field, Mapping)
        else Field(str(field), {})
        for name, field in declared.items()
    }


def _connections(nodes: Iterable[Mapping[str, Json]]) -> Iterable[str]:
    """What promptflow takes for connections in the nodes of a flow: `connection`, on the node or among its inputs."""
    for node in nodes:
        inputs = node.get("inputs")
        for holder in (node, inputs):
            if isinstance(holder, Mapping) and isinstance(holder.get("connection"), str):
                yield str(holder["connection"])


# ----------------------------------------------------------------------------------------------------------- requests


def request_data(flow: FlowInterface, body: bytes) -> Mapping[str, Json]:
    """The inputs that a request gives; raises what the app answers to a body that will not do."""
    if not flow.inputs:
        return {}
    try:
        data = json.loads(body)
    except ValueError:
        if len(flow.inputs) > 1:
            raise ServingError(
                "promptflow.core._serving._errors.JsonPayloadRequiredForMultipleInputFields",
                "Promptflow executor received non json data, but there's more than 1 input fields, "
                "please use json request data instead.",
                bases=("BadRequest",),
            ) from None
        data = {next(iter(flow.inputs)): body.decode("utf-8", "replace")}
    given = data if isinstance(data, dict | list | str) else ()
    missing = [name for name, field in flow.inputs.items() if field.default is None and name not in given]
    if missing or not isinstance(data, dict):
        raise ServingError(
            "promptflow.core._serving._errors.MissingRequiredFlowInput",
            f"Required input fields {missing} are missing in request data {data!r}",
            bases=("BadRequest",),
        )
    for name, field in flow.inputs.items():
        _check_type(name, field, data.get(name))
    return data


def _check_type(name: str, field: Field, value: Json) -> None:
    """Lists and objects only: everything else the app can make of nearly everything."""
    wanted = _PYTHON_TYPES.get(field.type)
    if wanted is None or value is None or isinstance(value, wanted):
        return
    if not isinstance(value, str):
        raise ServingError(
            "promptflow.executor._errors.InputTypeError",
            f"The input for flow is incorrect. The value for flow input '{name}' does not match the expected type "
            f"'{field.type}'. Please change flow input type or adjust the input value in your input data.",
        )
    try:
        json.loads(value)
    except ValueError as error:
        raise ServingError(
            "promptflow.executor._errors.InputParseError",
            f"Failed to parse the flow input. The value for flow input '{name}' was interpreted as JSON string since "
            f"its type is '{field.type}'. However, the value '{value}' is invalid for JSON parsing. Error details: "
            f"(JSONDecodeError) {error}. Please make sure your inputs are properly formatted.",
        ) from error


# ------------------------------------------------------------------------------------------------------------ OpenAPI


def openapi(flow: FlowInterface, answered: Mapping[str, Field]) -> dict[str, Json]:
    """The document at /swagger.json."""
    info: dict[str, Json] = {
        "title": f"Promptflow[{flow.name}] API",
        "version": "1.0.0",
        "x-flow-name": flow.name,
    }
    for name, field in flow.inputs.items():
        if field.settings.get("is_chat_input"):
            info |= {"x-chat-input": name, "x-flow-type": "chat"}
        if field.settings.get("is_chat_history"):
            info["x-chat-history"] = name
    for name, field in flow.outputs.items():
        if field.settings.get("is_chat_output"):
            info["x-chat-output"] = name
    request: dict[str, Json] = {"type": "object"}
    if flow.inputs:
        request["properties"] = {name: _schema(field) for name, field in flow.inputs.items()}
        request["required"] = list(flow.inputs)
    response: dict[str, Json] = {"type": "object"}
    if flow.outputs:
        response["properties"] = {name: _schema(field) for name, field in answered.items()}
    score = _operation(
        f"run promptflow: {flow.name} with an given input",
        {"description": "promptflow input data", "required": bool(flow.inputs), "content": _json(request, example={})},
        response,
    )
    anything: dict[str, Json] = {"type": "object", "additionalProperties": {}}
    feedback = _operation(
        "collect promptflow feedback",
        {"description": "promptflow feedback data", "required": True, "content": _json(anything)},
        anything,
    )
    flatten = {
        "name": "flatten",
        "in": "query",
        "description": "flatten the feedback data into traced data",
        "required": False,
        "schema": {"type": "boolean"},
    }
    return {
        "openapi": "3.0.0",
        "info": info,
        "components": {"securitySchemes": {"bearerAuth": {"type": "http", "scheme": "bearer"}}},
        "security": [{"bearerAuth": []}],
        "paths": {"/score": {"post": score}, "/feedback": {"post": feedback, "parameters": [flatten]}},
    }


def _operation(summary: str, body: Json, response: Json) -> dict[str, Json]:
    return {
        "summary": summary,
        "requestBody": body,
        "responses": {
            "200": {"description": "successful operation", "content": _json(response)},
            "400": {"description": "Invalid input"},
            "default": {"description": "unexpected error"},
        },
    }


def _json(schema: Json, **more: Json) -> Json:
    return {"application/json": {"schema": schema, **more}}


def _schema(field: Field) -> dict[str, Json]:
    schema: dict[str, Json] = {"type": _OPENAPI_TYPES.get(field.type, "string")}
    for key in ("description", "default"):
        if field.settings.get(key):
            schema[key] = field.settings[key]
    if field.type == "object":
        schema["additionalProperties"] = {}
    if field.type == "list":
        schema["items"] = {"type": "object", "additionalProperties": {}}
    return schema
