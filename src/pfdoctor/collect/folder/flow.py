"""A flow folder as facts: the flow file, the code and templates it names, and what lies beside them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pfdoctor.collect.folder.files import Problem, Text, Tree
from pfdoctor.collect.folder.ignore import hidden_files
from pfdoctor.collect.folder.image import read_image
from pfdoctor.collect.folder.python_source import read_source, resolve_imports
from pfdoctor.collect.folder.section import Section, any_placeholder
from pfdoctor.collect.folder.template import read_template
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.pattern import Pattern
from pfdoctor.yaml_document import Dialect, YamlDocument, YamlError, read

DAG_FILES = ("flow.dag.yaml", "flow.dag.yml")
FLEX_FILES = ("flow.flex.yaml", "flow.flex.yml")
FLOW_FILES = (*DAG_FILES, *FLEX_FILES)

_FLOW_KEYS = frozenset(
    "$schema id name display_name description type path inputs outputs nodes node_variants environment tags "
    "environment_variables additional_includes language message_format entry init sample properties "
    "template flow_type code".split()
)
_NODE_KEYS = frozenset(
    "name type source inputs activate aggregation reduce tool comment api provider module connection use_variants "
    "enable_cache skip description variant_id node_variants".split()
)
_REFERENCE = Pattern(r"\$\{[^\n]*\}\Z")
_TEMPLATE_TYPES = ("llm", "prompt", "custom_llm")


class Gathered:
    """Facts of a flow while they are put together: `flow` itself and the problems of its files."""

    def __init__(self, flow: dict[str, Json]) -> None:
        self.flow = flow
        self.documents: list[dict[str, Json]] = []


def read_flow(tree: Tree, folder: Path, file: Path | None = None) -> Gathered:
    """The facts of the flow in a folder. `file` names the flow file where the folder has several or a .prompty.

    A flow file that cannot be read leaves every fact of its content unknown, and a problem in `documents`.
    """
    names = tree.listing(folder) or []
    definitions = [name for name in FLOW_FILES if name in names]
    if file is None:
        file = folder / definitions[0]
    kind = "prompty" if file.suffix == ".prompty" else "flex" if file.name in FLEX_FILES else "dag"
    name = tree.name(file)
    flow: dict[str, Json] = {
        "$file": name,
        "$at": {"": [1]},
        "name": folder.name or ".",
        "path": tree.name(folder),
        "file": name,
        "definition_files": definitions,
        "samples": _samples(tree, folder),
        "dotenv": _dotenv(tree, folder),
        "top_entries": names,
    }
    gathered = Gathered(flow)
    if kind == "prompty":
        from pfdoctor.collect.folder.prompty import read_prompty

        read_prompty(tree, file, gathered)
        return gathered
    document = _document(tree, file, gathered)
    if isinstance(document, Unknown):
        flow |= dict.fromkeys(_CONTENT, document.to_json())
        flow["kind"] = kind
        return gathered
    section = Section(document, (), document.value)
    # what the file says decides, not its name: promptflow serves either content from either file
    kind = "flex" if "entry" in section.value and "nodes" not in section.value else "dag"
    flow["kind"] = kind
    _common(tree, folder, section, gathered)
    if kind == "dag":
        _dag(tree, folder, section, gathered)
    else:
        from pfdoctor.collect.folder.flex import read_flex

        read_flex(tree, folder, section, gathered)
    flow["ignored_files"] = hidden_files(tree, folder, list(_needed_files(flow)))
    return gathered


_CONTENT = (
    "type language schema_url message_format is_chat is_evaluation inputs outputs nodes nodes_with_variants "
    "chat_input_count chat_output_count chat_history_count environment environment_variables additional_includes "
    "flex prompty sources templates other_tools ignored_files unknown_keys"
).split()


def _document(tree: Tree, file: Path, gathered: Gathered) -> YamlDocument | Unknown:
    """The flow file's document, or why there is none; problems that promptflow would have are noted."""
    name = tree.name(file)

    def fail(problem: Problem) -> Unknown:
        gathered.documents.append(problem.fact(name, "flow"))
        return problem.unknown()

    text = tree.read(file)
    if isinstance(text, Problem):
        return fail(text)
    if text.problem is not None:
        return fail(text.problem)
    try:
        documents = read(text.text, Dialect.FLOW)
    except YamlError as error:
        return fail(Problem(error.code, error.detail, error.line))
    if len(documents) > 1:
        place = documents[1].place()
        return fail(
            Problem("several-documents", "holds several YAML documents; a flow is one", place[0] if place else 1)
        )
    value = documents[0].value if documents else None
    if not isinstance(value, dict):
        what = (
            "is empty" if value is None else f"holds a {'list' if isinstance(value, list) else 'text'}, not a mapping"
        )
        return fail(Problem("not-a-mapping", what, 1))
    return documents[0]


def _common(tree: Tree, folder: Path, section: Section, gathered: Gathered) -> None:
    """What DAG and flex flows share."""
    flow = gathered.flow
    flow["$at"] |= section.places("type", "language", "environment", "environment_variables", "message_format")
    flow["$at"][""] = [1]
    flow["type"] = section.text("type")
    flow["language"] = section.text("language")
    flow["schema_url"] = section.text("$schema")
    flow["message_format"] = section.get("message_format")
    flow["inputs"] = _inputs(section, gathered)
    flow["outputs"] = _outputs(section, gathered)
    inputs, outputs = flow["inputs"], flow["outputs"]
    flow["chat_input_count"] = _count(inputs, "is_chat_input")
    flow["chat_output_count"] = _count(outputs, "is_chat_output")
    flow["chat_history_count"] = _count(inputs, "is_chat_history")
    marked = bool(flow["chat_input_count"] or flow["chat_output_count"])
    flow["is_chat"] = flow["type"] == "chat" or marked
    flow["environment"] = _environment(tree, folder, section)
    variables = section.get("environment_variables")
    if variables is not None and not isinstance(variables, dict):
        _wrong_type(gathered, section, "environment_variables", "a mapping of name to value")
    flow["environment_variables"] = _placed_map(section, "environment_variables")
    flow["additional_includes"] = _additional_includes(tree, folder, section)
    flow["unknown_keys"] = [key for key in section.value if key not in _FLOW_KEYS]
    flow["flex"] = flow["prompty"] = None
    flow["is_evaluation"] = flow["type"] == "evaluation"
    flow["nodes"] = flow["nodes_with_variants"] = None
    flow["sources"], flow["templates"], flow["other_tools"] = [], [], []


def _placed_map(section: Section, name: str) -> dict[str, Json] | None:
    """A free map of scalars, each with its place; null when it is absent or no mapping."""
    child = section.child(name)
    if child is None:
        return None
    return {"$at": child.places(*child.value), **child.value}


def _count(entries: Json, marker: str) -> Json:
    return sum(1 for entry in entries if entry[marker]) if isinstance(entries, list) else entries


def _wrong_type(gathered: Gathered, section: Section, key: str, expected: str) -> Unknown:
    place = section.place(key)
    problem = Problem(
        "wrong-type", f"{'.'.join(map(str, (*section.path, key)))} is not {expected}", place[0] if place else None
    )
    gathered.documents.append(problem.fact(gathered.flow["file"], "flow"))
    return problem.unknown()


def _inputs(section: Section, gathered: Gathered) -> Json:
    raw = section.get("inputs")
    if raw in (None, [], {}):
        return []
    if not isinstance(raw, dict):
        return _wrong_type(gathered, section, "inputs", "a mapping of name to {type: …}").to_json()
    inputs: list[Json] = []
    marked = any(isinstance(body, dict) and body.get("is_chat_history") for body in raw.values())
    for name, body in raw.items():
        child = Section(section.document, (*section.path, "inputs", name), body if isinstance(body, dict) else {})
        if not isinstance(body, dict):
            parent = Section(section.document, (*section.path, "inputs"), raw)
            _wrong_type(gathered, parent, name, "a mapping such as {type: string}")
        default = child.get("default")
        inputs.append(
            {
                "$at": child.places("type", "default", "is_chat_input", "is_chat_history"),
                "name": name,
                "type": child.get("type"),
                "has_default": default is not None,
                "default": default,
                "is_chat_input": bool(child.get("is_chat_input")),
                "is_chat_history": bool(child.get("is_chat_history")) or (name == "chat_history" and not marked),
                "placeholder": any_placeholder(default),
            }
        )
    return inputs


def _outputs(section: Section, gathered: Gathered) -> Json:
    raw = section.get("outputs")
    if raw in (None, [], {}):
        return []
    if not isinstance(raw, dict):
        return _wrong_type(gathered, section, "outputs", "a mapping of name to {type: …, reference: …}").to_json()
    outputs: list[Json] = []
    for name, body in raw.items():
        child = Section(section.document, (*section.path, "outputs", name), body if isinstance(body, dict) else {})
        if not isinstance(body, dict):
            parent = Section(section.document, (*section.path, "outputs"), raw)
            _wrong_type(gathered, parent, name, "a mapping such as {type: string, reference: ${node.output}}")
        outputs.append(
            {
                "$at": child.places("type", "reference"),
                "name": name,
                "type": child.get("type"),
                "reference": child.get("reference"),
                "has_reference": "reference" in child.value and child.get("reference") != "",
                "is_chat_output": bool(child.get("is_chat_output")),
                "evaluation_only": bool(child.get("evaluation_only")),
            }
        )
    return outputs


def _environment(tree: Tree, folder: Path, section: Section) -> Json:
    child = section.child("environment")
    named = child.text("python_requirements_txt") if child is not None else None
    present = tree.exists(folder / "requirements.txt")
    file = named if named is not None else "requirements.txt" if present else None
    named_exists = tree.exists(folder / named) if named is not None else None
    image = child.text("image") if child is not None else None
    return {
        "$at": child.places("image", "python_requirements_txt")
        | {"python_requirements": child.place("python_requirements_txt")}
        if child is not None
        else {},
        "image": read_image(image) if image is not None else None,
        "python_requirements": named,
        "python_requirements_exists": named_exists,
        "requirements_file": file if named is None or named_exists else None,
        "setup_script": child.text("setup_sh") if child is not None else None,
    }


def _additional_includes(tree: Tree, folder: Path, section: Section) -> Json:
    raw = section.get("additional_includes")
    includes: list[Json] = []
    for index, entry in enumerate(raw if isinstance(raw, list) else []):
        if not isinstance(entry, str):
            continue
        target = Path(os.path.normpath(folder / entry))
        inside = tree.inside(target)
        place = section.document.place("additional_includes", index)
        includes.append(
            {
                "$at": {"": list(place) if place else None},
                "path": entry,
                "exists": tree.exists(target)
                if inside
                else Unknown("outside-boundary", f"{entry} lies outside what may be read").to_json(),
                "outside": not str(target).startswith(str(folder) + os.sep),
                "outside_boundary": not inside,
                "resolved": tree.exists(folder / target.name),
            }
        )
    return includes


def _dag(tree: Tree, folder: Path, section: Section, gathered: Gathered) -> None:
    flow = gathered.flow
    raw = section.get("nodes")
    if raw is not None and not isinstance(raw, list):
        flow["nodes"] = _wrong_type(gathered, section, "nodes", "a list of nodes").to_json()
        flow["sources"] = flow["templates"] = flow["nodes"]
        return
    nodes: list[dict[str, Json]] = []
    for index, body in enumerate(raw or []):
        if isinstance(body, dict):
            nodes.append(_node(tree, folder, Section(section.document, ("nodes", index), body), gathered))
        else:
            parent = Section(section.document, ("nodes",), dict(enumerate(raw)))  # type: ignore[arg-type]  # a list seen as a mapping of index to element
            _wrong_type(gathered, parent, index, "a mapping")  # type: ignore[arg-type]  # the index is the key here
    flow["nodes_with_variants"], bodies = _variants(tree, folder, section, nodes, gathered)
    flow["nodes"] = nodes + bodies
    _mark_served(flow)
    _look_into_code(tree, folder, section, gathered)
    flow["is_evaluation"] = flow["is_evaluation"] or any(node["aggregation"] for node in nodes)
    flow["other_tools"] = sorted({node["source_tool"] for node in flow["nodes"] if node["source_tool"]})
    flow["sources"] = _sources(tree, folder, flow["nodes"], gathered)
    flow["templates"] = _templates(tree, folder, flow["nodes"], gathered)


def _mark_served(flow: dict[str, Json]) -> None:
    """Which definitions the serving app uses: the body of the default variant where there is one, else the node itself.

    Source: promptflow-core 1.18.5, promptflow/contracts/flow.py (_apply_default_node_variant); run.
    """
    own = {
        node["name"]: bool(node["source_path"] or node["source_tool"])
        for node in flow["nodes"]
        if node["variant"] is None
    }
    defaults = {}
    for summary in flow["nodes_with_variants"]:
        summary["own_source"] = own.get(summary["node"], False)
        if summary["used"] and summary["default_exists"]:
            defaults[summary["node"]] = summary["default_variant"]
    for node in flow["nodes"]:
        if node["variant"] is None:
            node["served"] = node["name"] not in defaults and (not node["use_variants"] or own[node["name"]])
        else:
            node["served"] = node["variant"] == defaults.get(node["name"])


def _look_into_code(tree: Tree, folder: Path, section: Section, gathered: Gathered) -> None:
    """Sets `source_in_code` of each node. With `code: src`, promptflow checks the file beside the flow file and then
    loads the one below src, so it must be in both places."""
    code = section.get("code")
    if "code" in section.value and not isinstance(code, str):
        _wrong_type(gathered, section, "code", "the path of a folder")
    for node in gathered.flow["nodes"]:
        path = node["source_path"]
        node["source_in_code"] = None
        if path and isinstance(code, str) and tree.inside(folder / code):
            base = Path(os.path.normpath(folder / code))
            node["source_in_code"] = _exists_exactly(tree, base, path) and (base / path).is_file()


def _node(
    tree: Tree, folder: Path, section: Section, gathered: Gathered, variant: str | None = None
) -> dict[str, Json]:
    source = section.child("source")
    path = source.text("path") if source is not None else None
    inputs = section.get("inputs")
    if inputs is not None and inputs != [] and not isinstance(inputs, dict):
        _wrong_type(gathered, section, "inputs", "a mapping of name to value")
    entries = section.child("inputs")
    connection = section.text("connection")
    node: dict[str, Json] = {
        "$at": section.places(
            "name", "type", "api", "connection", "provider", "module", "tool", "aggregation", "activate"
        )
        | _source_places(source),
        "name": section.text("name"),
        "name_is_text": isinstance(section.get("name"), str),
        "type": section.text("type"),
        "source_type": source.text("type") if source is not None else None,
        "source_path": path,
        "source_tool": source.text("tool") if source is not None else None,
        "tool": section.text("tool"),
        "provider": section.text("provider"),
        "api": section.text("api"),
        "module": section.text("module"),
        "connection": connection,
        "deployment_name": entries.get("deployment_name") if entries is not None else None,
        "inputs": [_node_input(entries, name) for name in entries.value] if entries is not None else [],
        "aggregation": _truthy(section.get("aggregation")) or _truthy(section.get("reduce")),
        "activate": _activate(section),
        "use_variants": section.get("use_variants") is True,
        "variant": variant,
        "unknown_keys": [key for key in section.value if key not in _NODE_KEYS],
    }
    node |= _source_file(tree, folder, path, gathered.flow["additional_includes"])
    return node


def _truthy(value: Json) -> bool:
    """promptflow takes the value as Python would: any text but the empty one is true."""
    return bool(value)


def _source_places(source: Section | None) -> dict[str, Json]:
    if source is None:
        return {}
    return {f"source_{name}": place for name in ("type", "path", "tool") if (place := source.place(name)) is not None}


def _node_input(entries: Section, name: str) -> dict[str, Json]:
    value = entries.value[name]
    reference = isinstance(value, str) and value.startswith("${") and _REFERENCE.match(value) is not None
    return {
        "$at": {"": entries.place(name), "name": list(entries.document.key_place(*entries.path, name) or [1])},
        "name": str(name),
        "value": value,
        "kind": "reference" if reference else "literal",
        "placeholder": any_placeholder(value) and not reference,
    }


def _activate(section: Section) -> Json:
    if "activate" not in section.value:
        return None
    child = section.child("activate")
    body = child.value if child is not None else {}
    return {
        "$at": child.places("when", "is") if child is not None else {"": section.place("activate")},
        "when": body.get("when"),
        "is": body.get("is"),
        "has_when": "when" in body,
        "has_is": "is" in body,
    }


def _source_file(tree: Tree, folder: Path, path: str | None, includes: Json) -> dict[str, Json]:
    """Whether the file a node names is there, with this spelling, for the container to find."""
    facts: dict[str, Json] = {
        "source_exists": None,
        "source_actual": None,
        "source_outside": False,
        "source_in_includes": False,
    }
    if not path:
        return facts
    target = Path(os.path.normpath(folder / path))
    if os.path.isabs(path) or not tree.inside(target):
        detail = f"{path} lies outside what may be read"
        return facts | {"source_outside": True, "source_exists": Unknown("outside-boundary", detail).to_json()}
    exists = _exists_exactly(tree, folder, path) and target.is_file()
    facts["source_exists"] = exists
    if not exists:
        include = _include_of(folder, path, includes)
        if include is not None and tree.inside(include) and include.is_file():
            facts["source_exists"] = facts["source_in_includes"] = True
        else:
            facts["source_actual"] = _other_spelling(tree, folder, path)
    return facts


def _exists_exactly(tree: Tree, folder: Path, path: str) -> bool:
    """Whether every segment of the path exists with this spelling, as it must on Linux."""
    current = folder
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part != ".." and not tree.exists(current / part):
            return False
        current = Path(os.path.normpath(current / part))
    return True


def _other_spelling(tree: Tree, folder: Path, path: str) -> str | None:
    """The path under the spelling that the file system has, when it differs in case or in its slashes only."""
    current, parts = folder, []
    for part in path.replace("\\", "/").split("/"):
        if part in ("", "."):
            continue
        name = tree.spelling(current / part)
        if name is None:
            return None
        parts.append(name)
        current = current / name
    found = "/".join(parts)
    return found if found != path and current.is_file() else None


def _include_of(folder: Path, path: str, includes: Json) -> Path | None:
    """Where additional_includes would bring the file from: an include of its name, or of the folder it lies in."""
    first, _, rest = path.replace("\\", "/").removeprefix("./").partition("/")
    for include in includes if isinstance(includes, list) else ():
        target = Path(os.path.normpath(folder / include["path"]))
        if target.name == first and include["exists"] is True:
            return target / rest if rest else target
    return None


def _variants(
    tree: Tree, folder: Path, section: Section, nodes: list[dict[str, Json]], gathered: Gathered
) -> tuple[list[Json], list[dict[str, Json]]]:
    """The nodes that have variants, and the body of each variant as a node with `variant` set."""
    summaries: list[Json] = []
    bodies: list[dict[str, Json]] = []
    used = {node["name"]: node for node in nodes if node["use_variants"]}
    table = section.child("node_variants")
    for name in table.value if table is not None else ():
        entry = Section(section.document, ("node_variants", name), table.value[name] or {}) if table else None
        if entry is None or not isinstance(entry.value, dict):
            continue
        variants = entry.child("variants")
        ids = list(variants.value) if variants is not None else []
        default = entry.get("default_variant_id")
        summaries.append(
            {
                "$at": entry.places() | {"default_variant": entry.place("default_variant_id")},
                "node": str(name),
                "default_variant": entry.text("default_variant_id"),
                "variants": [str(one) for one in ids],
                "default_exists": variants is not None and _has_key(variants, default),
                "defined": True,
                "used": name in used,
            }
        )
        for variant in ids:
            body = variants.value[variant] if variants is not None else None
            inner = body.get("node") if isinstance(body, dict) else None
            if not isinstance(inner, dict):
                _wrong_type(gathered, variants or entry, variant, "a mapping with the key node")
            else:
                path = ("node_variants", name, "variants", variant, "node")
                node = _node(tree, folder, Section(section.document, path, inner), gathered, str(variant))
                node |= {"name": str(name), "name_is_text": True}
                bodies.append(node)
    for name, node in used.items():
        if table is None or name not in table.value:
            summaries.append(
                {
                    "$at": {"": node["$at"].get("")},
                    "node": name,
                    "default_variant": None,
                    "variants": [],
                    "default_exists": False,
                    "defined": False,
                    "used": True,
                }
            )
    return summaries, bodies


def _has_key(section: Section, wanted: Json) -> bool:
    """Whether the mapping has the key, as YAML reads both: 0 and "0" differ."""
    keys = (section.document.key(*section.path, name) for name in section.value)
    return any(key == wanted and type(key) is type(wanted) for key in keys)


def _sources(tree: Tree, folder: Path, nodes: list[dict[str, Json]], gathered: Gathered) -> Json:
    wanted: dict[str, str] = {}
    for node in sorted(nodes, key=lambda one: not one["served"]):
        path = node["source_path"]
        if node["type"] not in _TEMPLATE_TYPES and path and path.endswith(".py"):
            wanted.setdefault(path, "node" if node["served"] else "variant")
    return read_sources(tree, folder, wanted, gathered)


def read_sources(tree: Tree, folder: Path, wanted: dict[str, str], gathered: Gathered) -> Json:
    """The Python files named (path → how they are loaded) and, from those, every module of the folder that they import.

    The list is incomplete when one of them could not be read.
    """
    modules = local_modules(tree, folder)
    found: dict[str, Json] = {}
    unread: Problem | None = None
    queue = list(wanted)
    while queue:
        path = queue.pop(0)
        if path in found:
            continue
        target = Path(os.path.normpath(folder / path))
        if not tree.inside(target) or not target.is_file():
            include = _include_of(folder, path, gathered.flow.get("additional_includes"))
            if include is None or not include.is_file():
                continue
            target = include
        text = tree.read(target)
        if isinstance(text, Problem):
            unread = text
            gathered.documents.append(text.fact(tree.name(target), "source"))
            continue
        source = read_source(text.text, path)
        resolve_imports(source, modules)
        _mark_neighbours(tree, target.parent if gathered.flow["kind"] == "dag" else folder, folder, source)
        source |= {"$file": tree.name(target), "$at": {"": [1]}}
        source["loaded_as"] = wanted.get(path, "module")
        source["tool_count"] = len(source["tools"]) if isinstance(source["tools"], list) else source["tools"]
        found[path] = source
        queue += [one for one in _imported_files(tree, folder, source) if one not in found]
    items = list(found.values())
    if unread is not None:
        return {"$incomplete": {"code": unread.code, "detail": unread.detail}, "items": items}
    return items


def _mark_neighbours(tree: Tree, beside: Path, folder: Path, source: dict[str, Json]) -> None:
    """Sets `imports[].neighbour`: whether the module lies beside the importing file, which is not on the path."""
    if not isinstance(source["imports"], list):
        return
    extends = any(name.startswith("sys.path.") for name in source["calls"])
    names = set() if extends or beside == folder else set(tree.listing(beside) or ())
    for one in source["imports"]:
        one["neighbour"] = one["resolves"] == "third-party" and f"{one['top']}.py" in names


def local_modules(tree: Tree, folder: Path) -> set[str]:
    """Top-level modules and packages that the flow's folder provides: files, folders with Python in them."""
    modules = set()
    for name in tree.listing(folder) or []:
        if name.endswith(".py"):
            modules.add(name[:-3])
        elif "." not in name and (folder / name).is_dir():
            # a folder without __init__.py is a package too
            modules.add(name)
    return modules


def _imported_files(tree: Tree, folder: Path, source: dict[str, Json]) -> Iterator[str]:
    for one in source["imports"] if isinstance(source["imports"], list) else ():
        if one["resolves"] != "flow":
            continue
        base = one["module"].lstrip(".").replace(".", "/")
        for candidate in (f"{base}.py", f"{base}/__init__.py", *(f"{base}/{name}.py" for name in one["names"])):
            if candidate != ".py" and (folder / candidate).is_file() and tree.inside(folder / candidate):
                yield candidate


def _templates(tree: Tree, folder: Path, nodes: list[dict[str, Json]], gathered: Gathered) -> Json:
    found: dict[str, Json] = {}
    unread: Problem | None = None
    for node in nodes:
        path = node["source_path"]
        if path in found:
            _note_use(found[path], node)
        if not path or path in found or path.endswith(".py") or node["source_exists"] is not True:
            continue
        target = Path(os.path.normpath(folder / path))
        if not target.is_file():
            target = _include_of(folder, path, gathered.flow["additional_includes"]) or target
        text = tree.read(target)
        if isinstance(text, Problem):
            unread = text
            gathered.documents.append(text.fact(tree.name(target), "template"))
            continue
        if text.problem is not None:
            gathered.documents.append(text.problem.fact(tree.name(target), "template"))
        template = read_template(text.text, path)
        template |= {"$file": tree.name(target), "$at": {"": [1]}}
        template["used_as"] = []
        _note_use(template, node)
        found[path] = template
    items = list(found.values())
    if unread is not None:
        return {"$incomplete": {"code": unread.code, "detail": unread.detail}, "items": items}
    return items


def _note_use(template: Json, node: dict[str, Json]) -> None:
    """How a served node uses the template: its kind, or for an LLM node its API."""
    use = node["api"] if node["type"] == "llm" else node["type"]
    if node["served"] and use is not None and use not in template["used_as"]:
        template["used_as"].append(use)


def _samples(tree: Tree, folder: Path) -> Json:
    """samples.json as the serving app reads it: json.loads of UTF-8 text, where a byte order mark is a fault."""
    path = folder / "samples.json"
    if not tree.exists(path):
        return None
    text = tree.read(path)
    if isinstance(text, Problem):
        return text.unknown().to_json()
    facts: dict[str, Json] = {"$file": tree.name(path), "$at": {"": [1]}, "problem": None, "detail": None, "line": None}
    if text.marked:
        return facts | {"problem": "invalid-json", "detail": "begins with a byte order mark", "line": 1}
    try:
        value = json.loads(text.text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        return facts | {"problem": "invalid-json", "detail": str(error), "line": line, "$at": {"": [line]}}
    if text.problem is not None:
        return facts | {"problem": "invalid-json", "detail": text.problem.detail, "line": 1}
    return facts | (
        {} if isinstance(value, list) else {"problem": "not-a-list", "detail": "samples are a list of objects"}
    )


_DOTENV_LINE = Pattern(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=", re.MULTILINE)


def _dotenv(tree: Tree, folder: Path) -> Json:
    path = folder / ".env"
    if not tree.exists(path) or not path.is_file():
        return None
    text = tree.read(path)
    if isinstance(text, Problem):
        return text.unknown().to_json()
    return {"$file": tree.name(path), "$at": {"": [1]}, "variables": _DOTENV_LINE.findall(text.text)}


def _needed_files(flow: dict[str, Json]) -> Iterator[tuple[str, str]]:
    """Files that the flow cannot do without, with who needs them."""
    yield os.path.basename(flow["file"]), "the flow"
    for node in flow["nodes"] if isinstance(flow["nodes"], list) else ():
        if node["source_path"] and node["source_exists"] is True and not node["source_in_includes"]:
            yield node["source_path"], node["name"] or "a node"
    for source in flow["sources"] if isinstance(flow["sources"], list) else ():
        yield source["file"], "an import"


__all__ = ["DAG_FILES", "FLEX_FILES", "FLOW_FILES", "Gathered", "Text", "read_flow", "read_sources"]
