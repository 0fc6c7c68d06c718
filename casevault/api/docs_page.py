"""The documentation page: server-rendered from the OpenAPI document, without script.

Self-contained: one style sheet of our own, nothing from elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from casevault.api import examples

STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { border-bottom: 1px solid #999; margin-top: 2.5rem }
article { margin: 1.5rem 0 }
code { background: #f2f2f2; padding: 0.1rem 0.3rem }
pre { background: #f2f2f2; padding: 0.5rem; overflow-x: auto }
.method { display: inline-block; min-width: 4.5rem; font-weight: bold }
.permission { color: #555 }
@media (prefers-color-scheme: dark) {
  body { background: #181818; color: #eee } code, pre { background: #333 }
  .permission { color: #aaa }
}
"""
CSP = "default-src 'none'; style-src 'self'; frame-ancestors 'none'"


def render(openapi: Mapping[str, Any]) -> str:
    """Return the page as HTML: operations by tag, each with permission, fields and an example."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            tag = operation.get("tags", ["other"])[0]
            by_tag.setdefault(tag, []).append(_operation(path, method, operation, openapi))
    parts = "".join(
        f"<h2>{escape(tag)}</h2>{''.join(articles)}" for tag, articles in by_tag.items()
    )
    title = escape(openapi["info"]["title"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<title>{title}</title><link rel="stylesheet" href="/docs/style.css"></head>'
        f"<body><h1>{title}</h1><p>{escape(openapi['info'].get('description', ''))} "
        'The same as data: <a href="/openapi.json">openapi.json</a>.</p>'
        f"{parts}</body></html>"
    )


def _operation(
    path: str, method: str, operation: Mapping[str, Any], openapi: Mapping[str, Any]
) -> str:
    return (
        f'<article id="{escape(operation["operationId"])}"><span class="method">'
        f"{escape(method.upper())}</span><code>{escape(path)}</code> "
        f'<span class="permission">{escape(operation.get("x-permission", ""))}</span>'
        f"<p>{escape(operation.get('description', ''))}</p>{_body(operation, openapi)}</article>"
    )


def _body(operation: Mapping[str, Any], openapi: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    if name:
        schema = openapi["components"]["schemas"][name]
    fields = ", ".join(f"<code>{escape(field)}</code>" for field in schema.get("properties", {}))
    example = examples.of(content, schema)
    text = json.dumps(example, ensure_ascii=False, indent=1)
    shown = "" if example is None else f"<pre>{escape(text)}</pre>"
    return (f"<p>Body: {fields}</p>" if fields else "") + shown
