"""Audits to report on, as `pfdoctor audit --format json` writes them."""

from __future__ import annotations

import hashlib
from typing import Any

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
RULES = ["connection-secrets-denied", "image-pull-denied", "node-cycle", "quota-too-small"]


def finding(rule: str = "connection-secrets-denied", deployment: str = "chat/blue", **more: Any) -> dict[str, Any]:
    """One finding; its identity hangs on rule and deployment."""
    return {
        "rule": rule,
        "title": "Endpoint identity cannot read secrets",
        "category": "identity",
        "status": "confirmed",
        "severity": "error",
        "confidence": "certain",
        "message": "chat may not read the secrets",
        "case": deployment,
        "subject": f"deployment {deployment}",
        "path": None,
        "line": None,
        "column": None,
        "end_column": None,
        "evidence": [],
        "missing": [],
        "remedies": [],
        "related": [],
        "fingerprint": hashlib.sha256(f"{rule} {deployment}".encode("utf-8", "surrogatepass")).hexdigest()[:32],
        "help": f"https://example.org/{rule}",
        "source": None,
        **more,
    }


def unknown(rule: str = "connection-secrets-denied", deployment: str = "chat/blue") -> dict[str, Any]:
    """A rule that could not be decided for want of a permission."""
    return {
        "rule": rule,
        "case": deployment,
        "fact": "live.access",
        "code": "forbidden",
        "detail": "may not read role assignments",
        "permission": "Microsoft.Authorization/roleAssignments/read",
        "command": None,
    }


def endpoint(name: str, *findings: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An endpoint of the workspace ws in the group rg, with one deployment, blue."""
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
    severities = [one["severity"] for one in findings]
    return {
        "id": f"{group}/providers/Microsoft.MachineLearningServices/workspaces/ws/onlineEndpoints/{name}",
        "name": name,
        "workspace": "ws",
        "resource_group": "rg",
        "subscription": SUBSCRIPTION,
        "location": "eastus2",
        "tags": {},
        "state": "findings" if findings else "healthy",
        "worst": next((one for one in ("error", "warning", "info") if one in severities), None),
        "reason": None,
        "deployments": [
            {"name": "blue", "provisioning_state": "succeeded", "instance_type": "Standard_DS3_v2", "traffic": 100}
        ],
        "rules": {"pass": 100 - len(findings), "fail": len(findings), "unknown": 2, "not-applicable": 3},
        "findings": list(findings),
        "unknown": [],
        **more,
    }


def audit(*endpoints: dict[str, Any], finished: str = "2026-11-22T03:00:00Z", **run: Any) -> dict[str, Any]:
    """A complete audit of one subscription."""
    states = [one["state"] for one in endpoints]
    found = [one for entry in endpoints for one in entry["findings"]]
    severities = [one["severity"] for one in found]
    statuses = [one["status"] for one in found]
    return {
        "schema": "pfdoctor/audit/v1",
        "version": "0.1.0",
        "scope": {
            "subscriptions": [SUBSCRIPTION],
            **{key: [] for key in ("resource_groups", "workspaces", "management_groups", "include", "exclude")},
        },
        "shard": None,
        "rules": RULES,
        "run": {
            "started_at": "2026-11-22T02:58:00Z",
            "finished_at": finished,
            "duration_seconds": 120.5,
            "requests": 5000,
            "throttled": 3,
            "in_scope": len(endpoints),
            "complete": True,
            "cloud": "AzureCloud",
            **run,
        },
        "summary": {
            "endpoints": len(endpoints),
            "states": {state: states.count(state) for state in ("findings", "unknown", "healthy", "gone")},
            "findings": len(found),
            "by_severity": {one: severities.count(one) for one in ("error", "warning", "info")},
            "by_status": {one: statuses.count(one) for one in ("confirmed", "latent", "contradicted", "suspected")},
            "by_rule": {},
            "worst": next((one for one in ("error", "warning", "info") if one in severities), None),
            "problems": 0,
            "exit_code": 1 if found else 0,
            "exit_reason": "findings at or above error" if found else "no findings",
        },
        "problems": [],
        "endpoints": list(endpoints),
    }


def unread(name: str) -> dict[str, Any]:
    """An endpoint that could not be read."""
    reason = {"code": "forbidden", "detail": "may not read the endpoint", "permission": "Microsoft.X/read"}
    return endpoint(name, state="unknown", reason=reason, deployments=[])
