"""Errors that no symptom covers: which are listed, and what is known of them."""

from __future__ import annotations

from typing import Any

from pfdoctor.core.derive.unexplained import derive_unexplained


def log(*errors: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"source": "log.txt", "ours": True, "hits": [], "errors": list(errors), **more}


def error(**more: Any) -> dict[str, Any]:
    return {"kind": "arm", "code": "OutOfCapacity", "message": "no machine of this size", "line": 20, **more}


def test_an_error_without_a_symptom_is_listed_with_what_its_code_means() -> None:
    (entry,) = derive_unexplained([log(error())]) or []
    assert (entry["code"], entry["log"], entry["line"]) == ("OutOfCapacity", "log.txt", 20)
    assert "no machine of this size left" in entry["meaning"]


def test_one_that_a_symptom_covers_is_not() -> None:
    near = {"symptom": "x", "line": 22, "excerpt": "something"}
    same = {"symptom": "x", "line": 90, "excerpt": '"message": "No machine of this size"'}
    far = {"symptom": "x", "line": 90, "excerpt": "something else"}
    assert derive_unexplained([log(error(), hits=[near])]) == []
    assert derive_unexplained([log(error(), hits=[same])]) == []
    assert len(derive_unexplained([log(error(), hits=[far])]) or []) == 1


def test_of_another_product_and_of_no_failure_nothing_is_listed() -> None:
    assert derive_unexplained([log(error(), ours=False)]) == []
    assert derive_unexplained([log(error(kind="http", code="404"))]) == []
    assert derive_unexplained([]) is None


def test_an_exception_names_the_place_of_its_own_code() -> None:
    fields = {"file": "/site-packages/x.py", "line": 3, "user_file": "score.py", "owner": "library"}
    raised = error(kind="exception", code="KeyError", fields=fields)
    (entry,) = derive_unexplained([log(raised)]) or []
    assert (entry["place"], entry["owner"]) == ("score.py", "library")
