"""A page on which people try a model: a form made from the contract, its answer, the reasons. It loads nothing from elsewhere."""

from __future__ import annotations

from html import escape

from sparkkit.schema.contract import Column
from sparkkit.serving.fields import WHOLE, Field
from sparkkit.serving.model import Model

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
label { display: block; margin: 1rem 0 .25rem; font-weight: 600; }
label small { font-weight: 400; opacity: .75; }
input, select, textarea { font: inherit; width: 100%; box-sizing: border-box; padding: .4rem; }
button { font: inherit; margin: 1.5rem 0; padding: .5rem 1.5rem; }
output { display: block; min-height: 4rem; }
.wrong { color: #b00020; } .result { font-size: 1.4rem; }
meter { width: 12rem; } td { padding: .1rem .75rem .1rem 0; } .number { text-align: right; font-variant-numeric: tabular-nums; }
footer { margin-top: 2rem; opacity: .75; font-size: .9rem; }
"""

SCRIPT = """
'use strict';
const form = document.querySelector('form'), out = document.querySelector('output');
const add = (parent, tag, text, name) => {
  const node = parent.appendChild(document.createElement(tag));
  if (text !== undefined) node.textContent = text;
  if (name) node.className = name;
  return node;
};
const value = (field) => {
  if (field.value === '') return field.dataset.kind === 'text' && field.required ? '' : null;
  if (field.dataset.kind === 'number') return Number(field.value);
  return field.dataset.kind === 'boolean' ? field.value === 'true' : field.value;
};
const say = (answer) => {
  add(out, 'p', `Prediction: ${answer.prediction}`, 'result');
  for (const [label, share] of Object.entries(answer.probabilities || {})) {
    const line = add(out, 'p', `${label}: ${(100 * share).toFixed(1)} % `);
    add(line, 'meter').value = share;
  }
  if (!answer.why) { add(out, 'p', 'This kind of model gives no reasons.'); return; }
  add(out, 'p', 'What moved it most (above zero: towards ' + answer.towards + '):');
  const table = add(out, 'table');
  for (const reason of answer.why) {
    const row = add(table, 'tr');
    add(row, 'td', reason.feature);
    add(row, 'td', (reason.contribution > 0 ? '+' : '') + reason.contribution.toFixed(3), 'number');
  }
};
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  out.replaceChildren();
  const record = {}, headers = {'Content-Type': 'application/json'}, token = document.querySelector('#token');
  for (const field of form.querySelectorAll('[data-kind]')) record[field.name] = value(field);
  if (token && token.value) headers.Authorization = 'Bearer ' + token.value;
  try {
    const reply = await fetch('predict?why=1', {method: 'POST', headers, body: JSON.stringify(record)});
    const answer = await reply.json();
    if (reply.ok) { say(answer); return; }
    add(out, 'p', answer.error, 'wrong');
    for (const fault of answer.errors || []) add(out, 'p', `${fault.field}: ${fault.found}, expected ${fault.expected}`, 'wrong');
  } catch (error) { add(out, 'p', 'The server gave no answer: ' + error, 'wrong'); }
});
"""


def html(model: Model, *, tokens: bool) -> str:
    """The page of a model; with a field for a token where the server asks for one."""
    name, about = escape(str(model.about["model"])), model.about
    contract = model.bundle.contract
    rows = "\n".join(_input(field) for field in model.fields.fields.values())
    asked = '<label for="token">Token</label><input id="token" type="password" autocomplete="off">' if tokens else ""
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{name}</title><link rel="stylesheet" href="page.css"></head>
<body>
<main>
<h1>{name}</h1>
<p>{escape(contract.description)}</p>
<form>
{rows}
{asked}
<button>Predict</button>
</form>
<output aria-live="polite"></output>
</main>
<footer>Version {escape(str(about["version"]))}, run {escape(str(about["run"]))}.
<a href="openapi.json">The interface for programs</a></footer>
<script src="page.js"></script>
</body>
</html>
"""


def _input(field: Field) -> str:
    column, name = field.column, escape(field.column.name, quote=True)
    hint = f" <small>{escape(column.description)}</small>" if column.description else ""
    return f'<label for="f-{name}">{name}{hint}</label>{_control(column, name, " required" if field.required else "")}'


def _control(column: Column, name: str, required: str) -> str:
    marked = f'id="f-{name}" name="{name}" data-kind="{_kind(column)}"{required}'
    choices = ["true", "false"] if column.type == "boolean" else column.limits.get("enum")
    if choices:
        options = "".join(f"<option>{escape(str(choice))}</option>" for choice in choices)
        return f"<select {marked}>{'' if required else '<option></option>'}{options}</select>"
    if _kind(column) == "number":
        bounds = "".join(f' {a}="{column.limits[b]}"' for a, b in (("min", "minimum"), ("max", "maximum")) if b in column.limits)
        return f'<input type="number" step="{1 if column.type in WHOLE else "any"}"{bounds} {marked}>'
    return f'<textarea rows="3" {marked}></textarea>' if column.type == "string" else f"<input {marked}>"


def _kind(column: Column) -> str:
    if column.type == "boolean":
        return "boolean"
    return "number" if column.type in WHOLE or column.type in ("float", "double") else "text"
